/**
 * What a campaign has changed: the conversion rates of those who were sent to and of the control
 * group, with the interval in which the difference lies.
 */

/** Users whose clock has started, and those of them who have converted. */
export interface GroupCounts {
  readonly users: number;
  readonly conversions: number;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Lift {
  /** Difference of the two rates, -1 to 1. */
  readonly difference: number;
  readonly differenceInterval: Interval;
  /** The difference as a share of the control group's rate; absent when that is 0. */
  readonly relative?: number;
  /** Confidence of the interval. */
  readonly confidence: number;
  readonly method: string;
}

const CONFIDENCE = 0.95;
/** The normal quantile of it. */
const Z = 1.959963984540054;

/** Wilson's score interval of a proportion (E. B. Wilson, JASA 22, 1927). */
export function wilsonInterval({ users, conversions }: GroupCounts): Interval {
  if (users === 0) return { low: 0, high: 1 };
  const rate = conversions / users;
  const middle = rate + (Z * Z) / (2 * users);
  const spread = Z * Math.sqrt((rate * (1 - rate)) / users + (Z * Z) / (4 * users * users));
  const scale = 1 + (Z * Z) / users;
  return {
    low: Math.max(0, (middle - spread) / scale),
    high: Math.min(1, (middle + spread) / scale),
  };
}

/**
 * The difference of two rates with Newcombe's hybrid score interval (method 10 of R. G. Newcombe,
 * Statistics in Medicine 17, 1998), which holds for small groups and for rates near 0.
 * @returns undefined when one of the groups is empty
 */
export function liftOf(target: GroupCounts, control: GroupCounts): Lift | undefined {
  if (target.users === 0 || control.users === 0) return undefined;
  const [p, q] = [target.conversions / target.users, control.conversions / control.users];
  const [a, b] = [wilsonInterval(target), wilsonInterval(control)];
  const difference = p - q;
  return {
    difference,
    differenceInterval: {
      low: difference - Math.hypot(p - a.low, b.high - q),
      high: difference + Math.hypot(a.high - p, q - b.low),
    },
    ...(q === 0 ? {} : { relative: difference / q }),
    confidence: CONFIDENCE,
    method: 'Newcombe hybrid score',
  };
}
