/** Values of JSON, which is what checkpoints compare. */
export const isDeepStrictEqual = (a, b) => JSON.stringify(a) === JSON.stringify(b)
export const promisify =
  work =>
  (...args) =>
    new Promise((done, fail) => {
      work(...args, (error, value) => (error ? fail(error) : done(value)))
    })
