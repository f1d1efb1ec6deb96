//! Prints a table that can be pasted into a note.

/// One line of a table.
pub type Row = Vec<String>;

/// Prints rows under a header as a Markdown table.
pub fn print(title: &str, header: &[&str], rows: &[Row]) {
    println!("\n### {title}\n");
    println!("| {} |", header.join(" | "));
    println!(
        "|{}|",
        header.iter().map(|_| "---").collect::<Vec<_>>().join("|")
    );
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}
