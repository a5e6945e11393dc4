// `node --import …/register.js` lets any program load plugins as flow does: tests of plugins do so.
import { register } from 'node:module'

/** From the sources, `tsx` does both already. */
if (import.meta.url.endsWith('.js')) register(new URL('plugin-hooks.js', import.meta.url))
