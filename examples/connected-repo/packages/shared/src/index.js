// What the back end and the web app agree on. The web app checks a note before it sends it, the back end before it
// keeps it, and both by this.

export const LONGEST_NOTE = 500;

/** The note as it is kept, or why it is none. */
export function parseNote(value) {
  if (typeof value !== 'string') return { problem: 'a note is a text' };
  const text = value.trim();
  if (text === '') return { problem: 'a note is not empty' };
  if (text.length > LONGEST_NOTE) return { problem: `a note has at most ${LONGEST_NOTE} characters` };
  return { text };
}
