using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>
/// Reads and writes tiktoken's rank files (such as <c>cl100k_base.tiktoken</c> or Llama-3's <c>tokenizer.model</c>): per line the
/// bytes of a token in base 64, a space, its rank, which is its id. Of two neighbours whose joint bytes are a token the lowest
/// rank merges first, and a chunk that is a token is taken whole. A file holds neither the split nor the control tokens.
/// </summary>
public static class TiktokenFile
{
    /// <summary>Of published rank files.</summary>
    public const string Extension = ".tiktoken";

    private const int MaxFileBytes = 16 << 20, MaxTokenBytes = 512;

    /// <summary>Loads a rank file under the name it was published with (<c>gpt2</c>, <c>r50k_base</c>, <c>p50k_base</c>, <c>cl100k_base</c>,
    /// <c>o200k_base</c>), which decides its split and its control tokens.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged; the message says where.</exception>
    /// <exception cref="NotSupportedException">Its name is another.</exception>
    public static Tokenizer Load(string path)
    {
        TiktokenEncoding encoding = TiktokenEncoding.Named(path);
        return PreTokenizer.PatternOf(encoding.Regex) is { } pattern
            ? Load(path, pattern, encoding.SpecialTokens)
            : Load(path, encoding.Regex, encoding.SpecialTokens);
    }

    /// <summary>Loads a rank file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="pattern">How text is cut.</param>
    /// <param name="specialTokens">Ids of the control tokens by their text; ids without any token are holes.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged; the message says where.</exception>
    public static Tokenizer Load(string path, SplitPattern pattern, IReadOnlyDictionary<string, int> specialTokens) =>
        Load(path, TokenizerLayout.Create(pattern, bos: null, bosId: 0), specialTokens);

    /// <summary>Loads a rank file with the split given as a regular expression.</summary>
    /// <inheritdoc cref="Load(string, SplitPattern, IReadOnlyDictionary{string, int})"/>
    /// <exception cref="NotSupportedException">The expression uses what is not supported; the message names it.</exception>
    public static Tokenizer Load(string path, string regex, IReadOnlyDictionary<string, int> specialTokens) =>
        Load(path, TokenizerLayout.Create(regex, bos: null, bosId: 0), specialTokens);

    /// <summary>Writes the ranks of a byte-level tokenizer: all its tokens but the added ones.</summary>
    /// <exception cref="NotSupportedException">The tokenizer merges in another order than that of the ids, or is not
    /// byte-level BPE, which a rank file cannot say.</exception>
    public static void Save(Tokenizer tokenizer, string path) => TokenizerFile.Write(path, ToText(tokenizer));

    internal static string ToText(Tokenizer tokenizer)
    {
        TokenizerModel model = tokenizer.Model;
        if (!tokenizer.IsByteLevelBpe)
            throw new NotSupportedException("A rank file is for byte-level BPE; this tokenizer is of another kind.");
        var added = model.Added.Select(token => token.Id).ToHashSet();
        var ranks = new List<(byte[] Bytes, int Rank)>();
        for (int id = 0; id < model.Tokens.Length; id++)
        {
            if (!added.Contains(id) && tokenizer.HasToken(id)) ranks.Add((ByteAlphabet.ToBytes(model.Tokens[id]), id));
        }
        if (!AreByRank(tokenizer, ranks))
            throw new NotSupportedException("This tokenizer does not merge as its ids alone would have it, so a rank file would " +
                "give other tokens. Save it as tokenizer.json.");
        var text = new StringBuilder();
        foreach (var (bytes, rank) in ranks)
            text.Append(Convert.ToBase64String(bytes)).Append(' ').Append(rank.ToString(CultureInfo.InvariantCulture)).Append('\n');
        return text.ToString();
    }

    internal static Tokenizer Parse(ReadOnlySpan<byte> file, TokenizerLayout layout, IReadOnlyDictionary<string, int> specialTokens)
    {
        var ranks = ReadRanks(file);
        AddedToken[] added = [.. specialTokens.Select(token => new AddedToken(token.Value, token.Key)).OrderBy(token => token.Id)];
        if (Array.Find(added, token => token.Id < 0 || token.Content.Length == 0) is { } wrong)
            throw new ArgumentException($"The control token \"{wrong.Content}\" has id {wrong.Id}; expected some text and an id from 0.");
        CheckRanks(ranks, added);
        var tokens = ranks.ToDictionary(item => item.Rank, item => ByteAlphabet.ToText(item.Bytes));
        Tokenizer tokenizer = new(TokenizerReader.Assemble(tokens, added, layout) with
        {
            Merges = [.. MergesOf(ranks)],
            IgnoreMerges = true,
        });
        return tokenizer.WithConfig(TokenizerConfigFile.Guess(tokenizer.SpecialTokens));
    }

    private static Tokenizer Load(string path, TokenizerLayout layout, IReadOnlyDictionary<string, int> specialTokens)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no rank file at {path}.", path);
        if (new FileInfo(path).Length > MaxFileBytes)
            throw new InvalidDataException($"The rank file {path} is larger than {MaxFileBytes >> 20} MiB.");
        try
        {
            return Parse(File.ReadAllBytes(path), layout, specialTokens);
        }
        catch (InvalidDataException problem)
        {
            throw new InvalidDataException($"Cannot load the rank file {path}: {problem.Message}", problem);
        }
    }

    private static List<(byte[] Bytes, int Rank)> ReadRanks(ReadOnlySpan<byte> file)
    {
        var ranks = new List<(byte[], int)>();
        int number = 0;
        foreach (Range range in file.Split((byte)'\n'))
        {
            number++;
            ReadOnlySpan<byte> line = file[range].TrimEnd((byte)'\r');
            if (line.IsEmpty) continue;
            int space = line.IndexOf((byte)' ');
            if (space <= 0 || !int.TryParse(line[(space + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int rank))
                throw new InvalidDataException($"line {number} is not a token in base 64, a space and a rank");
            if (space > MaxTokenBytes * 4 / 3 + 4)
                throw new InvalidDataException($"the token of line {number} is longer than {MaxTokenBytes} bytes");
            var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(space)];
            if (Base64.DecodeFromUtf8(line[..space], bytes, out int read, out int written) != System.Buffers.OperationStatus.Done
                || read != space || written == 0)
                throw new InvalidDataException($"the token of line {number} is not base 64");
            ranks.Add((bytes[..written], rank));
        }
        return ranks;
    }

    private static void CheckRanks(List<(byte[] Bytes, int Rank)> ranks, AddedToken[] added)
    {
        ranks.Sort((a, b) => a.Rank.CompareTo(b.Rank));
        var special = added.Select(token => token.Id).ToHashSet();
        var seen = new HashSet<byte[]>(ByteComparer.Instance);
        int expected = 0;
        foreach (var (bytes, rank) in ranks)
        {
            while (special.Contains(expected)) expected++; // a control token may stand in between, as in p50k_base
            if (rank < expected)
                throw new InvalidDataException(special.Contains(rank)
                    ? $"rank {rank} is that of a control token" : $"rank {rank} is given twice");
            if (rank > expected) throw new InvalidDataException($"there is no token of rank {expected}; the next is {rank}");
            if (!seen.Add(bytes))
                throw new InvalidDataException($"the token of rank {rank}, \"{ByteAlphabet.ToText(bytes)}\", has a lower rank as well");
            expected++;
        }
        for (int value = 0; value < 256; value++)
        {
            if (!seen.Contains([(byte)value])) throw new InvalidDataException($"there is no token for the byte 0x{value:X2}");
        }
    }

    /// <summary>The merge that makes each token, in order of rank. Inside a chunk, what becomes of a token's bytes is what
    /// becomes of them alone, as long as nothing merges across their ends: so there is one pair that can make it, the last two
    /// parts left of the token by itself; where more are left, it is given only as a whole chunk.</summary>
    private static List<(int Left, int Right)> MergesOf(List<(byte[] Bytes, int Rank)> ranks)
    {
        var byBytes = new Dictionary<byte[], int>(ranks.Count, ByteComparer.Instance);
        foreach (var (token, rank) in ranks) byBytes.Add(token, rank);
        var lookup = byBytes.GetAlternateLookup<ReadOnlySpan<byte>>();
        var merges = new List<(int Left, int Right)>(ranks.Count);
        List<int> starts = [], pairs = []; // of the parts, and the rank of each part joined to the next
        foreach (var (token, _) in ranks)
        {
            if (token.Length == 1) continue;
            starts.Clear();
            pairs.Clear();
            for (int i = 0; i <= token.Length; i++) starts.Add(i);
            for (int i = 0; i + 1 < token.Length; i++) pairs.Add(RankAt(i));
            while (pairs.Count > 1 && pairs.Min() is < int.MaxValue and var lowest)
            {
                int best = pairs.IndexOf(lowest);
                starts.RemoveAt(best + 1);
                pairs.RemoveAt(best);
                if (best < pairs.Count) pairs[best] = RankAt(best);
                if (best > 0) pairs[best - 1] = RankAt(best - 1);
            }
            if (pairs.Count == 1) merges.Add((lookup[token.AsSpan(0, starts[1])], lookup[token.AsSpan(starts[1])]));

            int RankAt(int part) => lookup.TryGetValue(token.AsSpan(starts[part]..starts[part + 2]), out int rank) ? rank : int.MaxValue;
        }
        return merges;
    }

    /// <summary>Whether merges do what the ranks alone would: those that can be reached are there, in order of what they
    /// make.</summary>
    private static bool AreByRank(Tokenizer tokenizer, List<(byte[] Bytes, int Rank)> ranks)
    {
        TokenizerModel model = tokenizer.Model;
        int last = 0;
        foreach (var (left, right) in model.Merges)
        {
            int made = tokenizer.IdOf(model.Tokens[left] + model.Tokens[right])!.Value;
            if (made < last) return false;
            last = made;
        }
        return model.IgnoreMerges && model.Merges.ToHashSet().IsSupersetOf(MergesOf(ranks));
    }
}
