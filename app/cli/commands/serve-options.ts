/** What `lapse serve` and its demo are given on the command line. */
export interface ServeOptions {
  readonly config?: readonly string[];
  readonly data?: string;
  readonly nats?: string;
  readonly host?: string;
  readonly port?: string;
  readonly origins?: string;
  readonly ops?: string;
  readonly egress?: string;
  /** Seeded shop sessions, a receiver and two campaigns instead of `config`. */
  readonly demo?: boolean;
  readonly json?: boolean;
}
