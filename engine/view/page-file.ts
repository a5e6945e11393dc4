import { existsSync, readFileSync } from '../platform/files.ts'
import { join } from '../platform/paths.ts'
import { CodedError } from '../shared/errors.ts'
import { packageFolder } from '../shared/package-folder.ts'
import type { SavedData } from './messages.ts'

/** The page as `npm run build` makes it: one file with its style and its script. */
const pageFile = join(packageFolder, 'dist/page/view.html')

/** Whether the page was built: a checkout that was only compiled has none. */
export const hasPage = (): boolean => existsSync(pageFile)

/** The page that asks its server for data. */
export function livePage(): string {
  if (!hasPage())
    throw new CodedError('not-built', `${pageFile}: must be built once; run "npm run build" in the checkout`)
  return readFileSync(pageFile, 'utf8')
}

/** The same page with its data inside: it loads nothing. */
export function savedPage(data: SavedData): string {
  // in a script element only "<" could end the text or begin markup
  const text = JSON.stringify(data).replaceAll('<', '\\u003c')
  return livePage().replace(dataPlace, () => `<script type="application/json" id="data">${text}</script>`)
}

/** Where the build leaves room for data. */
const dataPlace = '<!--data-->'
