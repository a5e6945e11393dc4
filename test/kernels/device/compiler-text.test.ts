// What is kept of the compiler's message when a call fits none of the candidates.
import t from 'tap'
import { shortened } from '../../../kernels/device/compiler-text.ts'

t.test('a message without candidates is kept as it is', async t => {
  t.equal(shortened("unresolved value 'gain'\n"), "unresolved value 'gain'")
})

t.test('of candidates the one that misses least is kept, with its conditions', async t => {
  const message = `no matching call to 'max(vec2<f32>, f32, u32)'

3 candidate functions:
 • 'max(T  ✗ , T  ✗ ) -> T' where:
      ✗  overload expects 2 arguments, call passed 3 arguments
      ✓  'T' is 'f32', 'i32' or 'u32'
 • 'max(vecN<T>  ✓ , vecN<T>  ✗ ) -> vecN<T>' where:
      ✗  overload expects 2 arguments, call passed 3 arguments
      ✓  'T' is 'f32', 'i32' or 'u32'
 • 'max(mat<T>  ✗ , mat<T>  ✗ ) -> T'
`
  t.equal(
    shortened(message),
    `no matching call to 'max(vec2<f32>, f32, u32)'
the nearest of 3 functions: 'max(vecN<T> ✓, vecN<T> ✗) -> vecN<T>' where:
  ✗ overload expects 2 arguments, call passed 3 arguments
  ✓ 'T' is 'f32', 'i32' or 'u32'`,
  )
})

t.test('numbers of two types: what to write', async t => {
  const of = (types: string) =>
    shortened(
      `no matching overload for 'operator * (${types})'\n\n1 candidate operator:\n • 'operator * (T  ✓ , T  ✗ ) -> T'\n`,
    ).split('\n')
  const sentence = 'WGSL converts no numbers by itself: write'
  t.same(of('f32, u32').slice(1), [`${sentence} f32(…) around the u32`])
  t.same(of('u32, f16').slice(1), [`${sentence} f16(…) around the u32`])
  t.same(of('u32, i32').slice(1), [`${sentence} u32(…) around the i32`])
  t.same(of('f32, bool').slice(1), ["the one operator: 'operator * (T ✓, T ✗) -> T'"])
})
