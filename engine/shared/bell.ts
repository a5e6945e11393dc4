/** Lets work wait for a condition. Code that changes the condition rings the bell, and each waiting piece of work looks again. */
export class Bell {
  readonly #waiting = new Set<() => void>()

  ring(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const go of waiting) go()
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>(go => this.#waiting.add(go))
  }
}
