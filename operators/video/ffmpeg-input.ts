// How ffmpeg may open a clip: files only, and only formats that hold their own data.
import type { Media } from './media.ts'

// Playlists and scripts (hls, dash, concat, …) name other files or addresses, patterns (image2) open many, devices none.
const formats = [
  '3dostr 3g2 3gp 4xm aa aac ac3 aiff amr amrnb amrwb anm apng asf asf_o av1 avi avr avs avs2 avs3 bethsoftvid bfi bink',
  'bmv c93 caf cavsvideo cdg cdxl cine dfa dhav dirac dnxhd dsicin dts dtshd dv dxa ea eac3 evc film_cpk filmstrip flac',
  'flic flv gdv gif gxf h261 h263 h264 hevc hnm idcin ifv ipmovie ipu iv8 ivf jv kux live_flv lmlm4 lvf lxf m4a m4v',
  'matroska mgsts mj2 mjpeg mjpeg_2000 mlv mm moflex mov mp3 mp4 mpeg mpegts mpegvideo mpjpeg mtv mv mvi mxf mxg nsv nut',
  'nuv obu ogg paf pmp psxstr pva r3d rl2 rm roq rpl ser sga siff smjpeg smk smush swf thp tiertexseq tmv ty vc1 vc1test',
  'vivo vmd vvc wav webm wc3movie wsvqa wtv wv xmv yop yuv4mpegpipe',
  'bmp_pipe gif_pipe j2k_pipe jpeg_pipe jpegls_pipe jpegxl_pipe png_pipe ppm_pipe tiff_pipe webp_pipe',
]
  .join(' ')
  .replaceAll(' ', ',')

/** Most pixels of a frame: four times those of 8K. */
const mostPixels = 4 * 7680 * 4320

const bounds = (protocols: string): string[] => [
  ...['-protocol_whitelist', protocols, '-format_whitelist', formats],
  ...['-max_pixels', String(mostPixels), '-noautorotate'],
]

/** Arguments that open a video as published readers see it: rotation is not applied. */
export const mediaInput = (
  { address, protocols }: Pick<Media, 'address' | 'protocols'>,
  before: readonly string[] = [],
): string[] => [...bounds(protocols), ...before, '-i', address]

/** Arguments that open pictures which arrive one after the other at standard input. */
export const pictureInput = (format: 'jpeg' | 'png'): string[] => [
  ...bounds('file,pipe'),
  '-f',
  `${format}_pipe`,
  '-i',
  'pipe:0',
]
