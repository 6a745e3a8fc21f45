/** The inbox in a React application (19 or later, which sets an element's properties and listens to its events). */

import { useState, type DetailedHTMLProps, type HTMLAttributes } from 'react';
import { createRoot } from 'react-dom/client';
import 'bellboard-inbox';
import type { BellboardInbox, InboxEventDetails, TokenSource } from 'bellboard-inbox';

type On<K extends keyof InboxEventDetails> = (event: CustomEvent<InboxEventDetails[K]>) => void;

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'bellboard-inbox': DetailedHTMLProps<HTMLAttributes<BellboardInbox>, BellboardInbox> & {
        token?: TokenSource;
        'base-url'?: string;
        'onbellboard-count'?: On<'bellboard-count'>;
        'onbellboard-follow'?: On<'bellboard-follow'>;
      };
    }
  }
}

// Outside the component: a new function at each rendering would begin anew.
const token: TokenSource = async ({ refresh }) => {
  const answer = await fetch(`/session/token?refresh=${refresh}`);
  return ((await answer.json()) as { token: string }).token;
};

function App() {
  const [unread, setUnread] = useState(0);
  const [route, setRoute] = useState('/');
  return (
    <header>
      <h1>CRM {unread > 0 && <small>{unread} to read</small>}</h1>
      <bellboard-inbox
        token={token}
        onbellboard-count={({ detail }) => setUnread(detail.unread)}
        onbellboard-follow={(event) => {
          // Paths of the application go to its own router.
          const { link } = event.detail.notification;
          if (!link?.startsWith('/')) return;
          event.preventDefault();
          setRoute(link);
        }}
      />
      <output>{route}</output>
    </header>
  );
}

createRoot(document.querySelector('#app')!).render(<App />);
