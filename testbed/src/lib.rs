//! One cluster interface, three ways to run DSKE nodes.
