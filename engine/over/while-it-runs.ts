import { announcementOf } from './find-run.ts'
import type { Announcement } from './names.ts'
import { isOfUnknownRun, type Server } from './nats.ts'

/**
 * Does work of a run, again and again until it succeeds; undefined when the run has ended or begun anew, which it announces before
 * its streams are gone from the server.
 */
export function whileItRuns<T>(
  server: Server,
  { run, epoch }: Pick<Announcement, 'run' | 'epoch'>,
  work: () => Promise<T>,
): Promise<T | undefined> {
  return server.again(async () => {
    try {
      return await work()
    } catch (error) {
      const now = isOfUnknownRun(error) ? await announcementOf(server, run) : undefined
      if (now && (now.announcement.status === 'ended' || now.announcement.epoch !== epoch)) return undefined
      throw error
    }
  })
}
