using System.Runtime.InteropServices;
using System.Text;

namespace Finery.Data.Classifiers;

/// <summary>Training text as numbers of its distinct tokens, four bytes a token: read once, whatever the number of epochs.</summary>
internal sealed class TrainingExamples
{
    private readonly byte[] _labelPrefix;
    private readonly List<byte> _text = [];
    private readonly List<int> _starts = [0];
    private readonly List<uint> _hashes = [];
    private readonly List<long> _counts = [];
    private readonly List<int> _tokens = [];
    private readonly List<int> _exampleEnds = [];
    private readonly int _endOfLine;
    private int[] _slots = new int[1 << 12];
    private byte[] _buffer = new byte[1024];

    public TrainingExamples(string labelPrefix)
    {
        _labelPrefix = Encoding.UTF8.GetBytes(labelPrefix);
        _slots.AsSpan().Fill(-1);
        _endOfLine = Number(TokenScanner.EndOfLine, TokenScanner.HashOf(TokenScanner.EndOfLine));
    }

    /// <summary>Examples.</summary>
    public int Count => _exampleEnds.Count;

    /// <summary>Tokens of all examples, labels and line ends included.</summary>
    public long TokenCount => _tokens.Count;

    /// <summary>Different tokens.</summary>
    public int DistinctCount => _counts.Count;

    /// <summary>Tokens of one example.</summary>
    public ReadOnlySpan<int> Tokens(int example)
    {
        var start = example == 0 ? 0 : _exampleEnds[example - 1];
        return CollectionsMarshal.AsSpan(_tokens)[start.._exampleEnds[example]];
    }

    public ReadOnlySpan<byte> Token(int number) =>
        CollectionsMarshal.AsSpan(_text)[_starts[number].._starts[number + 1]];

    public uint HashOf(int number) => _hashes[number];

    public bool IsLabel(int number) => Token(number).StartsWith(_labelPrefix);

    /// <summary>Adds a line whose labels are among its words.</summary>
    public void AddLine(ReadOnlySpan<char> line) => Add(line, keepsLabels: true);

    /// <summary>Adds a text under a label; whatever in it looks like a label is left out.</summary>
    public void Add(string label, ReadOnlySpan<char> text)
    {
        var bytes = Encoding.UTF8.GetBytes(label);
        if (!bytes.AsSpan().StartsWith(_labelPrefix) || bytes.Any(TokenScanner.IsSpace))
            throw new ArgumentException($"The label '{label}' does not start with the prefix of labels or holds white space.", nameof(label));
        Append(Number(bytes, TokenScanner.HashOf(bytes)));
        Add(text, keepsLabels: false);
    }

    /// <summary>The dictionary: words, then labels, each most frequent first, equal counts in order of appearance.</summary>
    /// <param name="arguments">What n-grams are used.</param>
    /// <param name="minCount">Least count of words.</param>
    /// <param name="minCountLabel">Least count of labels.</param>
    /// <param name="hasLineEnd">Whether the end of a line is a word.</param>
    /// <param name="extraWords">Words that are in it whatever their counts.</param>
    public ModelDictionary MakeDictionary(
        ModelArguments arguments, int minCount, int minCountLabel, bool hasLineEnd, IEnumerable<string> extraWords)
    {
        var extra = new HashSet<int>();
        foreach (var word in extraWords)
        {
            var bytes = Encoding.UTF8.GetBytes(word);
            extra.Add(Number(bytes, TokenScanner.HashOf(bytes)));
        }
        var labels = Enumerable.Range(0, DistinctCount).Where(n => IsLabel(n) && _counts[n] >= Math.Max(1, minCountLabel));
        var words = Enumerable.Range(0, DistinctCount)
            .Where(n => !IsLabel(n) && (hasLineEnd || n != _endOfLine) && (extra.Contains(n) || _counts[n] >= Math.Max(1, minCount)));
        int[] wordOrder = [.. words.OrderByDescending(n => _counts[n])], labelOrder = [.. labels.OrderByDescending(n => _counts[n])];
        int[] order = [.. wordOrder, .. labelOrder];
        var text = new List<byte>();
        var starts = new int[order.Length + 1];
        for (var i = 0; i < order.Length; i++)
        {
            text.AddRange(Token(order[i]));
            starts[i + 1] = text.Count;
        }
        return new(arguments, [.. text], starts, [.. order.Select(n => _counts[n])], wordOrder.Length, TokenCount, null);
    }

    private void Add(ReadOnlySpan<char> line, bool keepsLabels)
    {
        var most = Encoding.UTF8.GetMaxByteCount(line.Length);
        if (_buffer.Length < most)
            _buffer = new byte[most];
        var scanner = new TokenScanner(_buffer.AsSpan(0, Encoding.UTF8.GetBytes(line, _buffer)));
        while (scanner.Next())
        {
            var token = _buffer.AsSpan(scanner.Start, scanner.End - scanner.Start);
            if (token.SequenceEqual(TokenScanner.EndOfLine))
                break;
            if (keepsLabels || !token.StartsWith(_labelPrefix))
                Append(Number(token, scanner.Hash));
        }
        Append(_endOfLine);
        _exampleEnds.Add(_tokens.Count);
    }

    private void Append(int number)
    {
        _counts[number]++;
        _tokens.Add(number);
    }

    private int Number(ReadOnlySpan<byte> token, uint hash)
    {
        var slot = Slot(token, hash);
        if (_slots[slot] >= 0)
            return _slots[slot];
        var number = _counts.Count;
        _slots[slot] = number;
        _text.AddRange(token);
        _starts.Add(_text.Count);
        _hashes.Add(hash);
        _counts.Add(0);
        if (number * 2 > _slots.Length)
            Grow();
        return number;
    }

    private void Grow()
    {
        _slots = new int[_slots.Length * 4];
        _slots.AsSpan().Fill(-1);
        for (var number = 0; number < DistinctCount; number++)
            _slots[Slot(Token(number), _hashes[number])] = number;
    }

    private int Slot(ReadOnlySpan<byte> token, uint hash)
    {
        var mask = _slots.Length - 1;
        var slot = (int)((hash * 2654435769u) >> 4) & mask;
        while (_slots[slot] >= 0 && (_hashes[_slots[slot]] != hash || !Token(_slots[slot]).SequenceEqual(token)))
            slot = (slot + 1) & mask;
        return slot;
    }
}
