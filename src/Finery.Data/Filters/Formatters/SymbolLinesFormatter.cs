using System.Text;

namespace Finery.Data.Filters.Formatters;

/// <summary>
/// Removes lines made only of symbols and spaces; blank lines stay. FineWeb-2 runs it with the symbol <c>|</c> and a line feed as
/// replacement. A text without such a line stays as it is; otherwise its lines are joined by <c>\n</c>.
/// </summary>
public sealed record SymbolLinesFormatter : DocumentFilter
{
    private readonly IReadOnlyList<string> _symbols = [];
    private HashSet<int>? _listed;

    /// <summary>The symbols, one code point each; empty for all punctuation and sentence ends known to the filters.</summary>
    /// <exception cref="ArgumentException">An entry is not one code point.</exception>
    public IReadOnlyList<string> Symbols
    {
        get => _symbols;
        init
        {
            _symbols = value;
            _listed = value.Count == 0 ? null : [.. value.Select(CodePoint)];
        }
    }

    /// <summary>The line that a run of removed lines leaves behind; empty for none.</summary>
    public string Replacement { get; init; } = "";

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        var text = document.Text;
        Lines.SplitLines(text, document.View.Pieces);
        var lines = document.View.Pieces.ToList();
        if (!lines.Exists(line => IsSymbols(text.AsSpan(line))))
            return;
        var output = new StringBuilder(text.Length);
        var (isFirst, inRun) = (true, false);
        foreach (var line in lines)
        {
            var removed = IsSymbols(text.AsSpan(line));
            if (!removed)
                Append(text.AsSpan(line));
            else if (!inRun && Replacement.Length > 0)
                Append(Replacement);
            inRun = removed;
        }
        document.Rewrite(output.ToString());

        void Append(ReadOnlySpan<char> line)
        {
            if (!isFirst)
                output.Append('\n');
            output.Append(line);
            isFirst = false;
        }
    }

    private bool IsSymbols(ReadOnlySpan<char> line)
    {
        var hasSymbol = false;
        foreach (var rune in line.EnumerateRunes())
        {
            if (rune.Value == ' ')
                continue;
            if (_listed is null ? !CharacterSets.IsSymbol(rune.Value) : !_listed.Contains(rune.Value))
                return false;
            // Some control characters are both white space and listed; a line of these alone is blank.
            hasSymbol |= !rune.IsBmp || !CharacterSets.IsSpace((char)rune.Value);
        }
        return hasSymbol;
    }

    private static int CodePoint(string symbol) =>
        Rune.DecodeFromUtf16(symbol, out var rune, out var length) == System.Buffers.OperationStatus.Done
            && length == symbol.Length
            ? rune.Value : throw new ArgumentException($"The symbol '{symbol}' is not one character.", nameof(symbol));
}
