import type { Socket } from 'node:net';

/** What a client is told whose bytes are no request; `code` is counted. */
interface ClientError {
  readonly status: string;
  readonly code: string;
  readonly detail: string;
}

const SLOW_HEAD: ClientError = {
  status: '408 Request Timeout',
  code: 'ERR_REQUEST_SLOW',
  detail: 'A head must come within 10 s and a request within 60 s, it did not.',
};
const LARGE_HEAD: ClientError = {
  status: '431 Request Header Fields Too Large',
  code: 'ERR_HEAD_TOO_LARGE',
  detail: 'A head must have at most 16 KiB, got more.',
};
const NO_HTTP: ClientError = {
  status: '400 Bad Request',
  code: 'ERR_HTTP',
  detail: 'A request must be HTTP/1.1, got bytes that are not.',
};

/** Answers what Node.js cannot read as a request, and closes the connection. */
export function answerClientErrors(onRefused: (code: string) => void) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    // A connection that was reset has nobody to be told.
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    const { status, code, detail } = clientErrorOf(error.code);
    onRefused(code);
    const [number, title] = [status.slice(0, 3), status.slice(4)];
    const body = JSON.stringify({
      type: 'about:blank',
      title,
      status: Number(number),
      code,
      detail,
    });
    if (socket.writable) {
      socket.write(
        `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n` +
          `Content-Type: application/problem+json\r\n\r\n${body}`,
      );
    }
    socket.destroy(error);
  };
}

function clientErrorOf(code: string | undefined): ClientError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return SLOW_HEAD;
  return code === 'HPE_HEADER_OVERFLOW' ? LARGE_HEAD : NO_HTTP;
}
