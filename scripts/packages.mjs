// What the operating system must bring, by purpose. The scripts install what is missing;
// nothing else in the project may assume a package that is not named here.

const BUILD = [
  'build-essential', 'pkg-config', 'file',
  'libwebkit2gtk-4.1-dev', 'libxdo-dev', 'libayatana-appindicator3-dev', 'librsvg2-dev', 'libssl-dev',
  'libgstreamer1.0-dev', 'libgstreamer-plugins-base1.0-dev', 'libgstrtspserver-1.0-dev',
];

const RUN = [
  'gstreamer1.0-plugins-base', 'gstreamer1.0-plugins-good', 'gstreamer1.0-plugins-bad',
  'gstreamer1.0-plugins-ugly', 'gstreamer1.0-libav', 'gstreamer1.0-gl', 'gstreamer1.0-x',
  'gstreamer1.0-alsa', 'gstreamer1.0-pulseaudio', 'fonts-dejavu-core',
];

const TEST = [
  'gstreamer1.0-tools', 'gstreamer1.0-rtsp', 'xvfb', 'xauth', 'dbus', 'dbus-x11', 'webkit2gtk-driver',
  'chromium', 'procps', 'git', 'gnome-keyring', 'libsecret-1-0', 'ffmpeg', 'python3-venv',
];

/** Debian package names for a purpose. */
export const debian = { start: [...BUILD, ...RUN], test: [...BUILD, ...RUN, ...TEST], bench: [...BUILD, ...RUN, ...TEST] };

/** Homebrew formulae. GStreamer's formula holds the RTSP server and every plugin that is used. */
export const homebrew = { start: ['gstreamer', 'pkgconf'], test: ['gstreamer', 'pkgconf', 'ffmpeg', 'python'], bench: ['gstreamer', 'pkgconf', 'ffmpeg', 'python'] };

/** Exact commands for Windows, printed when something is missing. */
export const windows = [
  'winget install --id Microsoft.VisualStudio.2022.BuildTools --override "--quiet --wait --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"',
  'winget install --id Microsoft.EdgeWebView2Runtime',
  'winget install --id gstreamerproject.gstreamer',
  'winget install --id bloodrock.pkg-config-lite',
];
