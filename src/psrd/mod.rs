//! Pre-shared random data (PSRD): blocks, allocations, and the pools that spend each byte once.
