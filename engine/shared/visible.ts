/**
 * Text from outside (models, data, plugins, other programs) as it may reach a terminal: control characters and those that
 * turn the direction of writing are written out as `\u001b`, also valid in JSON strings; line breaks and tabs stay.
 */
export const visible = (text: string): string =>
  text.replace(unsafe, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to be shown.
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\u200e\u200f]/g
