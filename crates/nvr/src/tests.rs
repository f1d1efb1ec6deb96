//! The nvr over a real database, with an agent and a worker that write down what they are told.

mod assembler;
mod cameras;
mod clips;
mod doors;
mod exports;
mod fakes;
mod footage;
mod places;
mod refusals;
mod retention;
mod secrecy;
mod snapshots;
mod storage;
mod streams;
mod uploads;
