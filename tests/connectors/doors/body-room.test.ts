import { describe, expect, test } from 'vitest';
import {
  BodyRoom,
  type CutReason,
  PACE_BYTES,
  PACE_SECONDS,
} from '../../../connectors/doors/http/body-room.ts';
import { clientAddress } from '../../../connectors/doors/http/client-address.ts';
import { ManualClock } from '../../engine/intake/intake-clock.ts';

const MAX = 100;

function stage(options: { readonly shareBytesMax?: number } = {}) {
  const clock = new ManualClock(0);
  const room = new BodyRoom({ clock, bytesMax: MAX, ...options });
  const cut: string[] = [];
  /** A body of `bytes` that have come and more that have not. */
  const open = (name: string, address: string, bytes: number) => {
    const body = room.open(address);
    body.onCut = (reason: CutReason) => cut.push(`${name} ${reason}`);
    expect(body.resize(bytes)).toBe(true);
    body.came(bytes);
    return body;
  };
  return { clock, room, cut, open };
}

describe('body room', () => {
  test('only what has come counts, and is given back once', () => {
    const { room } = stage();
    const body = room.open('a');
    expect(room.heldBytes).toBe(0);
    expect(body.resize(30)).toBe(true);
    expect(body.resize(20)).toBe(true);
    expect(room.heldBytes).toBe(20);
    body.release();
    body.release();
    expect(room.heldBytes).toBe(0);
    expect(body.resize(1)).toBe(false);
  });

  test('one address holds half of the room: its oldest unfinished body makes room for the next', () => {
    const { room, cut, open } = stage();
    open('first', 'a', 20);
    open('second', 'a', 20);
    open('third', 'a', 20);
    expect(cut).toEqual(['first crowded']);
    expect(room.heldBytes).toBe(40);
  });

  test('what has come whole is never cut off; its address is then full', () => {
    const { room, cut, open } = stage();
    open('whole', 'a', 50).finished();
    expect(room.open('a').resize(1)).toBe(false);
    expect(cut).toEqual([]);
    expect(room.open('b').resize(50)).toBe(true);
  });

  test('a full room is emptied where most is held, and a light address is let in', () => {
    const { cut, open } = stage();
    open('heavy 1', 'a', 25);
    open('heavy 2', 'a', 25);
    open('light', 'b', 10);
    open('other', 'c', 40);
    open('new', 'd', 20);
    expect(cut).toEqual(['heavy 1 crowded']);
  });

  test('nobody is cut off for one who holds more', () => {
    const { room, cut, open } = stage({ shareBytesMax: MAX });
    const heavy = open('heavy', 'a', 80);
    open('light', 'b', 20);
    expect(heavy.resize(81)).toBe(false);
    expect(cut).toEqual([]);
    expect(room.heldBytes).toBe(MAX);
  });

  test('a body that brings too little in its time is cut off, one that keeps the pace is not', () => {
    const { clock, cut, open } = stage();
    open('silent', 'a', 10);
    const slow = open('slow', 'b', 10);
    const steady = open('steady', 'c', 10);
    slow.came(PACE_BYTES - 11);
    steady.came(PACE_BYTES - 10);
    clock.advanceTo(PACE_SECONDS * 1_000 - 1);
    expect(cut).toEqual([]);
    clock.advanceTo(PACE_SECONDS * 1_000);
    expect(cut).toEqual(['silent slow', 'slow slow']);
    clock.advanceTo(2 * PACE_SECONDS * 1_000);
    expect(cut).toEqual(['silent slow', 'slow slow', 'steady slow']);
  });

  test('no timer runs while no body is coming', () => {
    const { clock, open } = stage();
    open('one', 'a', 10).finished();
    expect(clock.timerCount).toBe(1);
    clock.advanceTo(60_000);
    expect(clock.timerCount).toBe(0);
  });
});

test.each([
  ['127.0.0.2', '127.0.0.2'],
  ['::ffff:127.0.0.2', '127.0.0.2'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [undefined, 'unknown'],
])('client address: %s counts as %s', (given, counted) => {
  expect(clientAddress(given)).toBe(counted);
});
