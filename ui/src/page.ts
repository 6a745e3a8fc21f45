/** The inbox page: the component over the whole page, and a form for a token where none was given. */

import './inbox.js';

const KEPT = 'bellboard-token';

const CSS = `
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f4f5f7, #111317); color: light-dark(#1b1d21, #e9eaee) }
main { max-width: 46rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.3rem }
form { display: grid; gap: .6rem; justify-items: start }
form p { margin: 0 }
input { font: inherit; padding: .4rem; inline-size: 100%; box-sizing: border-box }
button { font: inherit; padding: .4rem .9rem }
[hidden] { display: none }
`;

const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);
document.adoptedStyleSheets = [sheet];

const inbox = document.querySelector('bellboard-inbox')!;
const form = document.querySelector('form')!;
const field = form.querySelector('input')!;
const [refused, linked] = form.querySelectorAll<HTMLElement>('[role=alert]') as unknown as [HTMLElement, HTMLElement];

/** A token in the fragment, which no server sees; it is taken from the address bar and the history. */
function given(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/** Asks for one, until there is one; one that a link brought is taken once the reader says so. */
function ask(again: boolean, token = ''): Promise<string> {
  sessionStorage.removeItem(KEPT);
  refused.hidden = !again;
  linked.hidden = !token;
  field.value = token;
  form.hidden = false;
  inbox.hidden = true;
  field.focus();
  return new Promise((done) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const token = field.value.trim();
      sessionStorage.setItem(KEPT, token);
      show();
      done(token);
    };
  });
}

function show(): void {
  form.hidden = true;
  inbox.hidden = false;
}

async function begin(): Promise<void> {
  const link = given();
  const kept = sessionStorage.getItem(KEPT);
  // Anyone can make a link: it must not put the reader into somebody else's inbox unasked.
  const token = link && link !== kept ? await ask(false, link) : kept ?? await ask(false);
  show();
  inbox.token = ({ refresh }) => refresh ? ask(true) : sessionStorage.getItem(KEPT) ?? token;
}

inbox.addEventListener('bellboard-count', (event) => {
  const { unread } = (event as CustomEvent<{ unread: number }>).detail;
  document.title = unread > 0 ? `(${unread}) Inbox` : 'Inbox';
});
// Another link was pasted over this page.
addEventListener('hashchange', () => void (location.hash && begin()));
void begin();
