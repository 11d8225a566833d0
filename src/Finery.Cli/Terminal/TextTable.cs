using Spectre.Console;

namespace Finery.Cli.Terminal;

/// <summary>A table without borders on stdout: columns for people, still easy for <c>grep</c> and <c>awk</c>.</summary>
public sealed class TextTable
{
    private readonly Table _table = new Table().NoBorder();

    /// <summary>A table with these headings.</summary>
    public TextTable(params ReadOnlySpan<string> headings)
    {
        foreach (string heading in headings) _table.AddColumn(
            new TableColumn(new Text(heading, new Style(decoration: Decoration.Bold))).PadRight(2));
    }

    /// <summary>Adds a row.</summary>
    public void Add(params string[] cells) => _table.AddRow(cells.Select(cell => new Text(cell)));

    /// <summary>Prints it.</summary>
    public void Write(Streams streams) => streams.DataConsole.Write(_table);
}
