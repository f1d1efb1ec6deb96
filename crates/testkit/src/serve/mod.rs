//! The inside of a camera process: an RTSP server on loopback with encoders behind it.

mod audio;
mod auth;
mod launch;
mod picture;
mod recorded;

use std::{io::Read, sync::Arc};

use anyhow::Context;
use gstreamer as gst;
use gstreamer::{glib, prelude::*};
use gstreamer_rtsp_server as rtsp;
use gstreamer_rtsp_server::prelude::*;

use crate::{Auth, StreamOptions, Video};
use recorded::Recorded;

/// Where the pictures of a mount come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pictures {
    /// Drawn and encoded while somebody watches.
    Live,
    /// A loop of this many seconds, encoded at start.
    Loop {
        /// Seconds.
        seconds: u32,
    },
}

/// A stream at a path.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Path with its slash.
    pub path: String,
    /// What is there.
    pub stream: StreamOptions,
    /// Where its pictures come from.
    pub pictures: Pictures,
}

/// A server that listens. Serves while [`Self::run_until_stdin_ends`] runs.
pub struct Server {
    main_loop: glib::MainLoop,
    port: u16,
    _server: rtsp::RTSPServer,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 picks one. Encodes loops first.
    pub fn start(mounts: Vec<Mount>, auth: &Auth, port: u16, rtcp: bool) -> anyhow::Result<Self> {
        gst::init()?;
        let server = rtsp::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        auth::require(&server, auth);
        let points = server.mount_points().context("no mount points")?;
        let mut loops: Vec<(StreamOptions, Arc<Recorded>)> = Vec::new();
        for mount in mounts {
            let recorded = match mount.pictures {
                Pictures::Live => None,
                Pictures::Loop { seconds } => {
                    Some(match loops.iter().find(|(s, _)| *s == mount.stream) {
                        Some((_, recorded)) => recorded.clone(),
                        None => {
                            let recorded = Arc::new(Recorded::encode(&mount.stream, seconds)?);
                            loops.push((mount.stream.clone(), recorded.clone()));
                            recorded
                        }
                    })
                }
            };
            let factory = factory(&mount.stream, recorded);
            factory.set_property("enable-rtcp", rtcp);
            auth::admit(&factory);
            points.add_factory(&mount.path, factory);
        }
        server.attach(None).context("cannot listen")?;
        let bound = server.bound_port();
        Ok(Self {
            main_loop: glib::MainLoop::new(None, false),
            port: u16::try_from(bound).context("cannot listen on this port")?,
            _server: server,
        })
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves until stdin ends.
    pub fn run_until_stdin_ends(&self) {
        let main_loop = self.main_loop.clone();
        std::thread::spawn(move || {
            let mut bytes = [0u8; 64];
            let mut stdin = std::io::stdin().lock();
            while stdin.read(&mut bytes).is_ok_and(|n| n > 0) {}
            main_loop.quit();
        });
        self.main_loop.run();
    }
}

fn factory(stream: &StreamOptions, recorded: Option<Arc<Recorded>>) -> rtsp::RTSPMediaFactory {
    let factory = rtsp::RTSPMediaFactory::new();
    factory.set_shared(true);
    factory.set_eos_shutdown(false);
    let live = recorded.is_none();
    factory.set_launch(&if live {
        launch::live(stream)
    } else {
        recorded::launch(stream)
    });
    let stream = stream.clone();
    factory.connect_media_configure(move |_, media| {
        let Ok(bin) = media.element().downcast::<gst::Bin>() else {
            return;
        };
        send_at_once(&bin);
        if let Some(recorded) = &recorded {
            recorded::feed(&bin, recorded.clone());
        } else if stream.video != Video::None {
            picture::draw_into(&bin, &stream);
        }
        audio::behave(media, &stream);
    });
    factory
}

/// The server's sinks would hold every packet until its time plus the slowest encoder's delay;
/// cameras send what they have.
fn send_at_once(bin: &gst::Bin) {
    let Some(pipeline) = bin.parent().and_downcast::<gst::Pipeline>() else {
        return;
    };
    pipeline.connect_deep_element_added(|_, _, element| {
        let is_sink = element
            .factory()
            .is_some_and(|f| ["appsink", "udpsink", "multiudpsink"].contains(&f.name().as_str()));
        if is_sink {
            element.set_property("sync", false);
        }
    });
}
