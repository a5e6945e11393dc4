import type { NeededMark } from '../../engine/operator.ts'

/** Names of rewards on groups, for `flow check`; the combined reward has the empty name. */
export const combined = ''

/** What an operator adds that sets a named reward, and `weight` times it to the combined one. */
export const weighted = (name: string, weight: number) =>
  weight === 0
    ? { adds: [name] }
    : {
        adds: [name, combined],
        // over named rewards alone there would be nothing to add to
        needs: [{ ...neededReward(combined), ifOthers: true }],
      }

/** The reward of this name, or the combined one, which the value at `steps` of the config names. */
export const neededReward = (name: string, ...steps: string[]): NeededMark =>
  name === combined
    ? {
        name,
        steps,
        rule: 'must get groups with a combined reward',
        remedy:
          'put reward.sum with the weights of the named rewards before this node, or reward.accuracy-format',
      }
    : {
        name,
        steps,
        rule: 'must name a reward that a node before this one sets',
        remedy: 'put the operator that sets it before this node',
      }
