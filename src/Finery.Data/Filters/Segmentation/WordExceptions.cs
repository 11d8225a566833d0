namespace Finery.Data.Filters.Segmentation;

/// <summary>
/// Pieces that are kept whole or parted at fixed places whatever the rules say: contractions, abbreviations, emoticons. Facts of
/// spaCy 3.8, read from <c>WordExceptions.txt</c>.
/// </summary>
internal sealed class WordExceptions
{
    private const int FilterBits = 1 << 16;

    private readonly Dictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _parts;
    private readonly uint[] _filter = new uint[FilterBits / 32];
    private readonly uint[] _plainFilter = new uint[FilterBits / 32];
    private readonly int _longest;

    /// <param name="english">Whether to add the exceptions of English, and the typographic apostrophe as another form of the
    /// plain one.</param>
    public WordExceptions(bool english)
    {
        var parts = new Dictionary<string, int[]>(StringComparer.Ordinal);
        var section = "";
        foreach (var line in ResourceLines.Of("WordExceptions.txt"))
        {
            if (line is "any:" or "english:")
                section = line;
            else if (english || section == "any:")
            {
                Add(line);
                if (english)
                    Add(line.Replace('\'', '’'));
            }
        }
        _parts = parts.GetAlternateLookup<ReadOnlySpan<char>>();
        _longest = parts.Keys.Max(key => key.Length);
        All = [.. parts.Keys.Order(StringComparer.Ordinal)];
        foreach (var key in All)
        {
            SetBit(_filter, Slot(key));
            if (parts[key].Length > 1)
                SetBit(_plainFilter, Slot(key));
        }

        void Add(string line)
        {
            var pieces = line.Split(' ');
            parts[string.Concat(pieces)] = [.. pieces.Select(piece => piece.Length)];
        }
    }

    /// <summary>All of them, sorted.</summary>
    public IReadOnlyList<string> All { get; }

    /// <summary>Whether a piece is an exception.</summary>
    public bool Contains(ReadOnlySpan<char> piece) => Find(piece) is not null;

    /// <summary>Lengths of the words an exception is parted into; null if a piece is none.</summary>
    public int[]? Find(ReadOnlySpan<char> piece) =>
        piece.Length <= _longest && HasBit(_filter, Slot(piece)) && _parts.TryGetValue(piece, out var lengths) ? lengths : null;

    /// <summary>False if a piece is certainly not an exception of several words: one look at a table.</summary>
    public bool MayPart(ReadOnlySpan<char> piece) => HasBit(_plainFilter, Slot(piece));

    // First, last and middle character and the length tell nearly all words apart from the exceptions.
    private static int Slot(ReadOnlySpan<char> piece) =>
        (int)(((uint)(piece[0] << 14) ^ (uint)(piece[^1] << 7) ^ (uint)(piece[piece.Length >> 1] << 22) ^ (uint)piece.Length)
            * 0x9E37_79B1u >> 16);

    private static void SetBit(uint[] bits, int i) => bits[i >> 5] |= 1u << (i & 31);

    private static bool HasBit(uint[] bits, int i) => (bits[i >> 5] & (1u << (i & 31))) != 0;
}
