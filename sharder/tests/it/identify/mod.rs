//! IDENTIFYs are paced over processes that pause, die, and lose their Redis.

mod fleet;
mod limit;
mod pacing;
mod redis;
