import { expect, test } from 'vitest';
import { lapse } from '../../support/cli.ts';

const COMMANDS = ['serve', 'simulate', 'validate', 'import', 'send', 'receive', 'bench'];

for (const command of COMMANDS) {
  test(`lapse ${command} --help: says what it does, its options and an example`, async () => {
    const { exitCode, stdout, stderr } = await lapse([command, '--help']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatchSnapshot();
  });
}

test('lapse: without arguments it prints the help that --help prints', async () => {
  const [bare, asked] = await Promise.all([lapse([]), lapse(['--help'])]);
  expect(bare).toEqual({ exitCode: 0, stdout: asked.stdout, stderr: '' });
  expect(asked.stdout).toMatchSnapshot();
});
