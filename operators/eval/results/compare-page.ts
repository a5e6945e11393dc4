import { basename, dirname, relative, resolve } from 'node:path'
import { makeFolder } from '../../../engine/shared/files.ts'
import { inside } from '../../../engine/shared/inside.ts'
import { replaceFile } from '../../../engine/shared/replace-file.ts'
import { type Comparison, compare, describeSides } from './compare.ts'
import { describeDifferences, isRight, type Pair, type Pairing, pairResults } from './pairing.ts'
import { percent } from './percent.ts'
import { averageName, breakable, framePage, html } from './report-frame.ts'
import { type Heading, headingOf } from './report-heading.ts'
import { itemOf, type PageItem } from './report-items.ts'
import { embedSheets } from './report-sheets.ts'
import { type Result, sheetField } from './result.ts'
import { readBenchmark, readRecipe } from './store.ts'

/** How the outcomes of a question differ; the flips come first. */
const marks = ['wrong → right', 'right → wrong', 'both right', 'both wrong'] as const

type Mark = (typeof marks)[number]

/** Writes a page that shows two folders of results side by side, question by question. */
export async function writeComparisonPage(
  file: string,
  firstFolder: string,
  secondFolder: string,
): Promise<void> {
  const pairing = pairResults(firstFolder, secondFolder)
  const comparison = compare(pairing, firstFolder, secondFolder)
  const { name, headline } = readBenchmark(firstFolder)
  const [first, second] = [sideOf(firstFolder), sideOf(secondFolder)]
  const pairs = pairing.pairs.map(pair => ({ ...pair, mark: markOf(pair) }))
  const names = namesOf(first, second)
  const sheets = await sheetsOf(pairs, first, second, file)
  const title = `${names.join(' and ')} on ${name}`
  const page = framePage({
    title,
    body: [
      `<header>\n<h1>${html(title)}</h1>`,
      `<div class="pair">${sideMarkup(first, names[0], comparison.first)}${sideMarkup(second, names[1], comparison.second)}</div>`,
      `${differenceMarkup(comparison, averageName(headline))}\n</header>`,
      `<section>\n<h2>Flips by task</h2>\n${taskTable(pairs)}\n</section>`,
    ].join('\n'),
    items: pairs.map(pair => itemOfPair(pair, first, second, file)),
    marks,
    names,
    sheets,
  })
  makeFolder(dirname(resolve(file)))
  replaceFile(file, page)
}

interface Side {
  folder: string
  heading: Heading
}

interface MarkedPair extends Pair {
  mark: Mark
}

const sideOf = (folder: string): Side => ({
  folder,
  heading: headingOf(folder, readRecipe(folder)),
})

function markOf({ one, two }: Pair): Mark {
  if (isRight(one)) return isRight(two) ? 'both right' : 'right → wrong'
  return isRight(two) ? 'wrong → right' : 'both wrong'
}

/** The models, or where they are alike the folders. */
function namesOf(first: Side, second: Side): [string, string] {
  const [one, two] = [first.heading.model, second.heading.model]
  return one === two ? [basename(resolve(first.folder)), basename(resolve(second.folder))] : [one, two]
}

function sideMarkup({ heading }: Side, name: string, mean: number): string {
  const about = [heading.model === name ? '' : heading.model, heading.profile, heading.date]
  return `<div><h3>${html(name)}</h3><p class="about">${html(about.filter(Boolean).join(' · '))}</p><p class="big">${percent(mean)} %</p></div>`
}

function differenceMarkup(comparison: Comparison, average: string): string {
  const { recipe, differing, difference, onlyFirst, onlySecond } = comparison
  const { mean, low, high, observations, clusters } = difference
  const sign = (value: number) => (value > 0 ? `+${percent(value)}` : percent(value))
  const interval = low === null || high === null ? 'no interval' : `95 % ${sign(low)} to ${sign(high)}`
  const apart = onlyFirst + onlySecond > 0 ? `; ${onlyFirst} and ${onlySecond} in one only` : ''
  const recipes =
    recipe.length === 0
      ? '<p>The recipes are alike.</p>'
      : `<details><summary>The recipes differ in ${recipe.length} ${recipe.length === 1 ? 'field' : 'fields'}</summary><ul>${recipe.map(text => `<li>${html(text)}</li>`).join('')}</ul></details>`
  return `<p>Difference <b>${sign(mean)}</b> (${interval}), ${html(average)}: ${observations.toLocaleString('en')} questions in both, ${clusters.toLocaleString('en')} clips${apart}.</p>
${[...notesOn(differing), ...describeSides(comparison)].map(line => `<p>${html(line)}</p>`).join('')}
${recipes}`
}

function notesOn(differing: Pairing['differing']): string[] {
  const unlike = describeDifferences(differing)
  return unlike.length === 0 ? [] : [`Questions that differ: ${unlike.join('; ')}.`]
}

function taskTable(pairs: readonly MarkedPair[]): string {
  const tasks = [...new Set(pairs.flatMap(({ one }) => one.result.tasks))]
  const rows = [...tasks, undefined].map(task => {
    const inRow = pairs.filter(({ one }) => task === undefined || one.result.tasks.includes(task))
    const counts = marks.map(mark => inRow.filter(pair => pair.mark === mark).length)
    const [gained = 0, lost = 0] = counts
    const cells = marks.map((mark, i) => {
      const fields = new URLSearchParams(task === undefined ? { marks: mark } : { marks: mark, task })
      return `<td><a href="#${html(String(fields))}">${counts[i]}</a></td>`
    })
    const net = gained > lost ? `+${gained - lost}` : gained - lost
    return `<tr><th scope="row">${breakable(task ?? 'all')}</th>${cells.join('')}<td>${net}</td></tr>`
  })
  const head = marks.map(mark => `<th>${mark}</th>`)
  return `<div class="scroll"><table class="flips"><thead><tr><th>task</th>${head.join('')}<th>net</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

/** Paths of the sheets start from the page's folder. */
function itemOfPair(
  { one: { result: one }, two: { result: two }, mark }: MarkedPair,
  first: Side,
  second: Side,
  file: string,
): PageItem {
  const placed = (result: Result, folder: string) => ({
    ...result,
    sheet: result.sheet === null ? null : pathFrom(file, folder, result.sheet),
  })
  const again = showsTheSame(one, two) ? { ...two, sheet: null } : two
  return itemOf(placed(one, first.folder), mark, [placed(again, second.folder)])
}

const pathFrom = (file: string, folder: string, sheet: string): string =>
  relative(dirname(resolve(file)), resolve(inside(folder, sheet, sheetField)))

const showsTheSame = (one: Result, two: Result): boolean =>
  one.sheet !== null &&
  one.framesPerSecond === two.framesPerSecond &&
  one.indices.join() === two.indices.join()

/** Pictures of the flips; those of all other questions stay links. */
async function sheetsOf(
  pairs: readonly MarkedPair[],
  first: Side,
  second: Side,
  file: string,
): Promise<Map<string, string>> {
  const flips = pairs.filter(({ mark }) => mark.includes('→'))
  const apart = flips.filter(({ one, two }) => !showsTheSame(one.result, two.result))
  const embed = async (folder: string, results: readonly Result[]) => {
    const sheets = await embedSheets(folder, results)
    return [...sheets].map(([name, bytes]) => [pathFrom(file, folder, name), bytes] as const)
  }
  return new Map([
    ...(await embed(
      first.folder,
      flips.map(({ one }) => one.result),
    )),
    ...(await embed(
      second.folder,
      apart.map(({ two }) => two.result),
    )),
  ])
}
