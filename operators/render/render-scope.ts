import type { Campaign } from '../definitions.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { subjectOf } from './subject.ts';
import {
  compileTemplate,
  hasTags,
  type RenderTime,
  type TemplateKind,
  type TemplateScope,
} from './template.ts';
import { identityOf, objectIdOf, type PayloadSubject } from './variables.ts';

type Texts = Readonly<Record<string, string>>;
const NOTHING = {};

/** What the templates of one request see. */
export interface RenderSource {
  readonly campaign: Campaign;
  /** If there are several, no template is over the user. */
  readonly members: readonly Delivery[];
  readonly time: RenderTime;
}

/** Renders the templates of one request. */
export class Rendering {
  readonly #source: RenderSource;
  #scope: TemplateScope | undefined;

  constructor(source: RenderSource) {
    this.#source = source;
  }

  /** The campaign's key values. @throws RenderRefusal */
  get keyValues(): Texts {
    const { keyValues } = this.#source.campaign.content;
    return areLiteral(keyValues) ? keyValues : (this.#scopeOf().KeyValues as Texts);
  }

  /** @throws RenderRefusal */
  text(template: string, kind: TemplateKind = 'text'): string {
    return hasTags(template) ? this.#render(template, kind, this.#scopeOf()) : template;
  }

  /** The very mapping, if it has no template. @throws RenderRefusal */
  texts(templates: Texts): Texts {
    return areLiteral(templates) ? templates : this.#renderAll(templates, this.#scopeOf());
  }

  #render(template: string, kind: TemplateKind, scope: TemplateScope): string {
    const { campaign, time } = this.#source;
    const { onMissing } = campaign.content;
    return compileTemplate(template, { kind, onMissing }).render(scope, time);
  }

  #renderAll(templates: Texts, scope: TemplateScope): Texts {
    const names = Object.keys(templates);
    const render = (name: string) => this.#render(templates[name]!, 'text', scope);
    return Object.fromEntries(names.map((name) => [name, render(name)]));
  }

  /** Made when the first template asks for it: most requests have none. */
  #scopeOf(): TemplateScope {
    if (this.#scope !== undefined) return this.#scope;
    const { campaign, members } = this.#source;
    const { id, name, targetId, labels, content } = campaign;
    const subject = members.length === 1 ? subjectOf(members[0]!) : undefined;
    const scope: TemplateScope = {
      Profile: subject === undefined ? NOTHING : profileOf(subject),
      Event: subject?.event ?? NOTHING,
      Campaign: { id, name, targetId, labels },
      KeyValues: NOTHING,
    };
    const { keyValues } = content;
    const isLiteral = areLiteral(keyValues);
    const KeyValues = isLiteral ? keyValues : this.#renderAll(keyValues, scope);
    this.#scope = { ...scope, KeyValues };
    return this.#scope;
  }
}

function areLiteral(texts: Texts): boolean {
  for (const name in texts) if (hasTags(texts[name]!)) return false;
  return true;
}

/** The attributes, and the ids under the names that the fields have; an attribute's name wins. */
function profileOf(subject: PayloadSubject): Readonly<Record<string, unknown>> {
  const ids = { identity: identityOf(subject), objectId: objectIdOf(subject) };
  return { ...ids, ...subject.profile };
}
