/** What a group of completions lacks for the next step of GRPO, or what went wrong with it. */
export class GroupError extends Error {
  override readonly name = 'GroupError'
  readonly code:
    | 'small-group'
    | 'missing-reward'
    | 'missing-advantage'
    | 'missing-reference'
    | 'bad-reference'
    | 'missing-log-probs'
    | 'not-finite'
    | 'trained-vision'
    | 'nothing-to-learn'
    | 'uniform-rewards'
    | 'all-truncated'
    | 'still-reward'
    | 'still-parameter'

  constructor(code: GroupError['code'], message: string) {
    super(message)
    this.code = code
  }
}
