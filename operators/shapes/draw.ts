export const shapes = ['circle', 'square', 'triangle', 'ring'] as const
export const colours = {
  red: [220, 40, 40],
  green: [40, 180, 70],
  blue: [50, 90, 230],
  yellow: [235, 215, 50],
  purple: [150, 60, 190],
  white: [240, 240, 240],
} as const
/** Direction of the movement in the picture: x to the right, y down. */
export const movements = { left: [-1, 0], right: [1, 0], up: [0, -1], down: [0, 1], nowhere: [0, 0] } as const

export interface Scene {
  shape: (typeof shapes)[number]
  colour: keyof typeof colours
  movement: keyof typeof movements
  /** Grey level of the background. */
  background: number
  /** Half the height of the shape, pixels. */
  radius: number
  /** Distance of the path from the middle of the picture, across the direction of movement, pixels. */
  offset: number
}

/** One picture of a scene, packed 8-bit RGB. `time` runs from 0 to 1 and moves the shape along its path. */
export function drawScene(scene: Scene, size: number, time: number): Uint8Array {
  const { shape, radius, background, offset } = scene
  const [red, green, blue] = colours[scene.colour]
  const [directionX, directionY] = movements[scene.movement]
  const along = (time - 0.5) * (size - 2 * radius - 4)
  const centreX = size / 2 + along * directionX + offset * Math.abs(directionY)
  const centreY = size / 2 + along * directionY + offset * Math.abs(directionX)
  const picture = new Uint8Array(size * size * 3).fill(background)
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (!covers[shape]((x + 0.5 - centreX) / radius, (y + 0.5 - centreY) / radius)) continue
      picture.set([red, green, blue], (y * size + x) * 3)
    }
  }
  return picture
}

/** Whether a point lies in the shape of radius 1 around the origin. */
const covers: Record<Scene['shape'], (x: number, y: number) => boolean> = {
  circle: (x, y) => x * x + y * y <= 1,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.9,
  triangle: (x, y) => y <= 0.8 && 2 * Math.abs(x) <= y + 1,
  ring: (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.35,
}
