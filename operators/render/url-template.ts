/** Templates in a webhook's URL: its path and its query may have them, where it goes may not. */

/** Scheme, host and port of a URL, and what follows. */
const PARTS = /^(https?:\/\/[^/?#]*)(.*)$/is;

export interface UrlParts {
  readonly origin: string;
  readonly rest: string;
}

/** @returns undefined when it does not begin as a URL does */
export function urlPartsOf(url: string): UrlParts | undefined {
  const parts = PARTS.exec(url);
  return parts === null ? undefined : { origin: parts[1]!, rest: parts[2]! };
}

/** The URL with a letter in the place of each tag, for checks of what is around them. */
export function withoutTags(url: string): string {
  return url.replace(/\{\{.*?\}\}/gs, 'x').replace(/\{%.*?%\}/gs, '');
}

/**
 * Whether a rendered URL leads where its template says. Values are percent-encoded, but for dots,
 * and a segment of one or two dots would take other segments away.
 */
export function isUrlStable(template: string, rendered: string): boolean {
  const parts = urlPartsOf(rendered);
  if (parts === undefined || parts.origin !== urlPartsOf(template)?.origin) return false;
  const [path] = parts.rest.split(/[?#]/, 1);
  return !path!.split(/[/\\]/).some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
}
