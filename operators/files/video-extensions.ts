import { extname } from '../../engine/platform/paths.ts'

/** Endings of the names of video files that ffmpeg reads, in lower case. */
export const videoExtensions: readonly string[] = (
  '.mp4 .mkv .webm .avi .mov .gif .mpg .mpeg .m4v .ts .wmv .flv .3g2 .3gp .amv .apng .asf .av1 .divx .dv .f4v .h264 ' +
  '.h265 .hevc .ivf .m1v .m2t .m2ts .m2v .mj2 .mjpeg .mjpg .mpe .mpv .mts .mxf .nut .obu .ogg .ogm .ogv .qt .rm .rmvb ' +
  '.swf .vob .wtv .y4m'
).split(' ')

export const isVideo = (name: string): boolean => videoExtensions.includes(extname(name).toLowerCase())

/** The name of a file without the ending of a video file. */
export const stemOf = (name: string): string => (isVideo(name) ? name.slice(0, -extname(name).length) : name)

/** Copies that macOS leaves in folders and archives: they hold no data of their own. */
export const isMacCopy = (name: string): boolean =>
  name.startsWith('._') || name === '__MACOSX' || name === '.DS_Store'

/** A picture of a folder that is a clip: `00001.jpg`. */
export const isNumberedPicture = (name: string): boolean => /^\d+\.(jpe?g|png)$/i.test(name)
