/** Lanes of the workgroup that draws from a row. */
export const lanes = 1024

/** Lanes of a team: at the end each team sums a stretch of the row. */
export const team = 32
export const teams = lanes / team

/** WGSL: sums and the largest over all lanes, and where running sums over the lanes, team by team, pass a number. */
export const lanesWgsl = `
var<workgroup> tree: array<vec4f, ${lanes}>;
var<workgroup> sums: array<f32, ${lanes}>;
var<workgroup> team_sums: array<f32, ${teams}>;
// Drivers that unroll loops with barriers compile for seconds, so loops' ends are known to the params alone.
fn total(value: vec4f, lane: u32) -> vec4f {
  tree[lane] = value;
  for (var half = ${lanes / 2}u + (params.grid_width >> 31u); half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { tree[lane] += tree[lane + half]; }
  }
  let result = workgroupUniformLoad(&tree[0]);
  return result;
}
fn largest(value: f32, lane: u32) -> f32 {
  tree[lane].x = value;
  for (var half = ${lanes / 2}u + (params.grid_width >> 31u); half > 0u; half >>= 1u) {
    workgroupBarrier();
    if (lane < half) { tree[lane].x = max(tree[lane].x, tree[lane + half].x); }
  }
  return workgroupUniformLoad(&tree[0]).x;
}
// Leaves the sum over each team in \`team_sums\`.
fn sum_teams(value: f32, lane: u32) {
  sums[lane] = value;
  workgroupBarrier();
  if (lane < ${teams}u) {
    var sum = 0.0;
    for (var i = 0u; i < ${team}u; i++) { sum += sums[lane * ${team}u + i]; }
    team_sums[lane] = sum;
  }
  workgroupBarrier();
}
struct Hit { place: u32, below: f32 }
// The first team at which the running sum passes what is wanted, or the last that has any weight.
fn team_hit(wanted: f32) -> Hit {
  var hit = Hit(0u, 0.0);
  var sum = 0.0;
  for (var i = 0u; i < ${teams}u && (i == 0u || wanted >= sum); i++) {
    if (team_sums[i] > 0.0) {
      hit = Hit(i, sum);
      sum += team_sums[i];
    }
  }
  return hit;
}
// The lane at which the running sum passes what is wanted.
fn lane_hit(wanted: f32) -> Hit {
  let whose = team_hit(wanted);
  var hit = Hit(whose.place * ${team}u, whose.below);
  var sum = 0.0;
  for (var i = 0u; i < ${team}u && (i == 0u || wanted - whose.below >= sum); i++) {
    let found = sums[whose.place * ${team}u + i];
    if (found > 0.0) {
      hit = Hit(whose.place * ${team}u + i, whose.below + sum);
      sum += found;
    }
  }
  return hit;
}`
