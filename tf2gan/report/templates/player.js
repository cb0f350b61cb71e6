(() => {
  const player = document.getElementById("player");
  if (!player) return;
  const shown = document.getElementById("shown"), time = document.getElementById("time");
  const when = document.getElementById("when"), play = document.getElementById("play");
  const strip = player.querySelector(".strip"), frames = [...strip.querySelectorAll("button")];
  let timer = null;
  function show(index) {
    const frame = frames[index], picture = frame.querySelector("img");
    shown.src = picture.src;
    shown.alt = picture.alt;
    time.value = index;
    when.textContent = frame.dataset.when;
    time.setAttribute("aria-valuetext", frame.dataset.when);
    for (const other of frames) other.removeAttribute("aria-current");
    frame.setAttribute("aria-current", "true");
    strip.scrollLeft = frame.offsetLeft - strip.offsetLeft - (strip.clientWidth - frame.offsetWidth) / 2;
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (+time.value === frames.length - 1) show(0);
    play.textContent = "Pause";
    timer = setInterval(() => +time.value === frames.length - 1 ? stop() : show(+time.value + 1), 250);
  });
  time.addEventListener("input", () => { stop(); show(+time.value); });
  frames.forEach((frame, index) => frame.addEventListener("click", () => { stop(); show(index); }));
  player.querySelector(".controls").hidden = frames.length < 2;
  show(frames.length - 1);
})();
