// The badge as a web component: `<crm-badge entity-id="pr_1"></crm-badge>` says whether a person or
// a company is in the CRM, and leads to the record. All badges of a page are asked for together.

import type { components } from "./schema.js";
import type { CrmSync } from "./client.js";

type Badge = components["schemas"]["Badge"];
type Kind = components["schemas"]["KindOfEntity"];

/** Whose badges are shown. */
export interface Place {
  tenant: string;
  environment: "production" | "sandbox";
  seat: string;
}

/** What a badge says, by its state; replaced for another language. */
export interface Words {
  in_crm: string;
  not_in_crm: string;
  out_of_date: string;
  unknown: string;
}

const ENGLISH: Words = {
  in_crm: "In CRM",
  not_in_crm: "Not in CRM",
  out_of_date: "Out of date in CRM",
  unknown: "CRM unknown",
};

/** As many entities the API takes in one call. */
const MOST_AT_ONCE = 100;

/** Badges that are asked for in the same moment are asked for in one call. */
class Loader {
  #waiting = new Map<Kind, Map<string, ((badge: Badge | undefined) => void)[]>>();
  #isPlanned = false;

  constructor(
    private readonly client: CrmSync,
    private readonly place: Place,
  ) {}

  load(kind: Kind, id: string): Promise<Badge | undefined> {
    return new Promise((tell) => {
      const waiting = this.#waiting.get(kind) ?? new Map();
      waiting.set(id, [...(waiting.get(id) ?? []), tell]);
      this.#waiting.set(kind, waiting);
      if (!this.#isPlanned) {
        this.#isPlanned = true;
        queueMicrotask(() => this.#ask());
      }
    });
  }

  #ask(): void {
    const all = this.#waiting;
    this.#waiting = new Map();
    this.#isPlanned = false;
    for (const [kind, waiting] of all) {
      const ids = [...waiting.keys()];
      for (let begin = 0; begin < ids.length; begin += MOST_AT_ONCE) {
        const some = ids.slice(begin, begin + MOST_AT_ONCE);
        const tell = (badges: Map<string, Badge>) => {
          for (const id of some) waiting.get(id)?.forEach((told) => told(badges.get(id)));
        };
        this.#badges(kind, some).then(tell, () => tell(new Map()));
      }
    }
  }

  async #badges(kind: Kind, ids: string[]): Promise<Map<string, Badge>> {
    const answer = await this.client.POST(
      "/v1/tenants/{tenant}/connections/{environment}/seats/{seat}/badges",
      { params: { path: this.place }, body: { entity_kind: kind, entity_ids: ids } },
    );
    return new Map(answer.data?.badges.map((badge) => [badge.entity_id, badge]));
  }
}

const STYLE = `
  :host { display: inline-block; font: inherit; }
  a, span { color: inherit; padding: 0 .5em; border: 1px solid currentColor; border-radius: 1em; }
  a { text-decoration: none; }
  a:hover, a:focus-visible { text-decoration: underline; }
  [data-state="not_in_crm"], [data-state="unknown"] { border-style: dashed; opacity: .75; }
  [data-state="out_of_date"] { border-width: 2px; }
`;

/**
 * Defines `<crm-badge entity-id entity-kind>`; `entity-kind` is `person` unless it says `company`.
 * The element has the attribute `state` once it knows, and says what it knows to whoever listens
 * for `crm-badge`. `::part(badge)` is what a page styles.
 */
export const defineBadge = (client: CrmSync, place: Place, words: Words = ENGLISH): void => {
  const loader = new Loader(client, place);
  customElements.define(
    "crm-badge",
    class extends HTMLElement {
      static readonly observedAttributes = ["entity-id", "entity-kind"];
      readonly #root = this.attachShadow({ mode: "open" });
      /** The look that counts: the answer to an earlier one comes too late. */
      #look = 0;

      constructor() {
        super();
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(STYLE);
        this.#root.adoptedStyleSheets = [sheet];
      }

      connectedCallback(): void {
        void this.#update();
      }

      attributeChangedCallback(_name: string, before: string | null, after: string | null): void {
        if (this.isConnected && before !== after) void this.#update();
      }

      async #update(): Promise<void> {
        const id = this.getAttribute("entity-id");
        this.#look += 1;
        const look = this.#look;
        if (!id) {
          this.#root.replaceChildren();
          this.removeAttribute("state");
          return;
        }
        const kind = this.getAttribute("entity-kind") === "company" ? "company" : "person";
        const badge = await loader.load(kind, id);
        if (look === this.#look) this.#show(badge);
      }

      #show(badge: Badge | undefined): void {
        const state = badge?.state ?? "unknown";
        const url = badge?.record?.record_url;
        // Texts are set, never read as markup; a link is one of the web's.
        const shown = document.createElement(url && isWeb(url) ? "a" : "span");
        shown.textContent = words[state];
        shown.part.add("badge");
        shown.dataset["state"] = state;
        const outdated = badge?.outdated.map(({ fact, now }) => `${fact}: ${now}`).join("\n");
        if (outdated) shown.title = outdated;
        if (shown instanceof HTMLAnchorElement && url) {
          shown.href = url;
          shown.target = "_blank";
          shown.rel = "noopener";
        }
        this.#root.replaceChildren(shown);
        this.setAttribute("state", state);
        this.dispatchEvent(new CustomEvent("crm-badge", { detail: badge, bubbles: true }));
      }
    },
  );
};

const isWeb = (url: string): boolean => /^https?:\/\//.test(url);
