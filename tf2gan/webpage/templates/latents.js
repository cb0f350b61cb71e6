// The latents of a seed, by the rule of `tf2gan sample`: TensorFlow's stateless uniform numbers (Philox 4x32-10), then
// the inverse of the distribution function. A number is a BigInt where 64 bits are needed.

const LOW = 0xffffffffn;

// 128 random bits, four numbers of 32 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
function philox(counter, key) {
  let [c0, c1, c2, c3] = counter, [k0, k1] = key;
  const product = (a, b) => { const p = BigInt(a) * BigInt(b); return [Number(p >> 32n), Number(p & LOW)]; };
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = product(0xd2511f53, c0), [high1, low1] = product(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

// Block `index` of the random bits of a seed [BigInt, BigInt], as TensorFlow's stateless functions draw them.
function block(seed, index) {
  const halves = seed.flatMap(part => [Number(part & LOW), Number((part >> 32n) & LOW)]);
  const mixed = philox(halves, [0x3ec8f720, 0x02461e29]);
  return philox([index, 0, mixed[2], mixed[3]], [mixed[0], mixed[1]]);
}

// The inverse of N(0, 1)'s distribution function (Wichura 1988, algorithm AS 241, PPND16).
function quantile(p) {
  const ratio = (above, below, x) => above.reduceRight((sum, c) => sum * x + c) / (below.reduceRight((sum, c) => sum * x + c, 0) * x + 1);
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    return q * ratio([3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
                      45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727],
                     [42.313330701600911252, 687.18700749205790830, 5394.1960214247511077, 21213.794301586595867,
                      39307.895800092710610, 28729.085735721942674, 5226.4952788528545610], 0.180625 - q * q);
  }
  const r = Math.sqrt(-Math.log(Math.min(p, 1 - p)));
  const size = r <= 5
    ? ratio([1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
             1.27045825245236838258, 0.241780725177450611770, 0.0227238449892691845833, 7.74545014278341407640e-4],
            [2.05319162663775882187, 1.67638483018380384940, 0.689767334985100004550, 0.148103976427480074590,
             0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9], r - 1.6)
    : ratio([6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, 0.296560571828504891230,
             0.0265321895265761230930, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7],
            [0.599832206555887937690, 0.136929880922735805310, 0.0148753612908506148525, 7.86869131145613259100e-4,
             1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15], r - 5);
  return q < 0 ? -size : size;
}

// The share of N(0, 1) above t, by Simpson's rule; t = Infinity: 0.
function shareAbove(t) {
  if (!Number.isFinite(t)) return 0;
  const steps = 400, width = t / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    sum += (i === 0 || i === steps ? 1 : i % 2 ? 4 : 2) * Math.exp(-0.5 * (i * width) ** 2);
  }
  return 0.5 - sum * width / 3 / Math.sqrt(2 * Math.PI);
}

// The first latent of a seed, a Float32Array. `purpose`: what the seed is folded with, from the model's description.
function latentOf(seed, size, distribution, purpose, truncation = Infinity) {
  const bits = block([BigInt.asUintN(64, BigInt(seed)), 0n], 0);
  const folded = [BigInt(bits[0]) | (BigInt(bits[1]) << 32n), BigInt(purpose)];
  const found = new Float32Array(size), above = shareAbove(truncation);
  for (let i = 0; i < size; i++) {
    const four = block(folded, i >> 1), high = four[2 * (i % 2)] & 0xfffff, low = four[2 * (i % 2) + 1];
    const uniform = (high * 2 ** 32 + low) / 2 ** 52;
    found[i] = distribution === "uniform"
      ? (2 * uniform - 1) * Math.min(truncation, 1)
      : quantile(above + Math.min(Math.max(uniform, 1e-12), 1 - 1e-12) * (1 - 2 * above));
  }
  return found;
}

// Between two latents, by the rule of the tools: on a sphere for N(0, 1), straight for a uniform distribution.
function between(start, end, fraction, distribution) {
  if (fraction <= 0) return start;
  if (fraction >= 1) return end;
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const lengths = [Math.sqrt(dot(start, start)), Math.sqrt(dot(end, end))];
  const straight = start.map((value, i) => value + fraction * (end[i] - value));
  if (distribution === "uniform" || start.length === 1 || !lengths[0] || !lengths[1]) return straight;
  const [from, to] = [start, end].map((latent, i) => Array.from(latent, value => value / lengths[i]));
  const angle = Math.acos(Math.min(Math.max(dot(from, to), -1), 1)), sine = Math.sin(angle);
  if (sine < 1e-6) return straight;
  const [a, b] = [Math.sin((1 - fraction) * angle) / sine, Math.sin(fraction * angle) / sine];
  const length = lengths[0] + fraction * (lengths[1] - lengths[0]);
  return Float32Array.from(from, (value, i) => length * (a * value + b * to[i]));
}
