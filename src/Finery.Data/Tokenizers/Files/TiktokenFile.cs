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
    private const int MaxFileBytes = 64 << 20, MaxTokenBytes = 1024;

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
        if (!model.IgnoreMerges || !MergesOf(ranks).SequenceEqual(model.Merges))
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

    /// <summary>The merge that makes each token, in order of rank. Merging by lower ranks leaves two parts of a token that can
    /// be reached; one of which it leaves more is given only where it is a whole chunk. A chunk's pairs behave as inside the
    /// token alone, so that one merge for each is enough.</summary>
    private static List<(int Left, int Right)> MergesOf(List<(byte[] Bytes, int Rank)> ranks)
    {
        var bytes = new int[256];
        foreach (var (token, rank) in ranks)
        {
            if (token.Length == 1) bytes[token[0]] = rank;
        }
        var made = new Dictionary<(int, int), int>(ranks.Count); // the token that a pair makes: its id is its rank
        var merges = new List<(int, int)>(ranks.Count);
        var parts = new List<int>();
        foreach (var (token, rank) in ranks)
        {
            if (token.Length == 1) continue;
            parts.Clear();
            foreach (byte value in token) parts.Add(bytes[value]);
            while (parts.Count > 2)
            {
                int best = -1, lowest = int.MaxValue;
                for (int i = 0; i + 1 < parts.Count; i++)
                {
                    if (made.TryGetValue((parts[i], parts[i + 1]), out int id) && id < lowest) (best, lowest) = (i, id);
                }
                if (best < 0) break;
                parts[best] = lowest;
                parts.RemoveAt(best + 1);
            }
            if (parts.Count != 2 || !made.TryAdd((parts[0], parts[1]), rank)) continue;
            merges.Add((parts[0], parts[1]));
        }
        return merges;
    }
}
