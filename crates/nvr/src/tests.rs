//! The nvr over a real database, with an agent and a worker that write down what they are told.

mod cameras;
mod doors;
mod fakes;
mod footage;
mod refusals;
mod retention;
mod secrecy;
mod storage;
mod streams;
