using System.Text;
using System.Text.Json.Nodes;

namespace Finery.Data.Tokenizers;

/// <summary>A text to measure tokenizers on.</summary>
/// <param name="Text">The text.</param>
/// <param name="Language">Its language, if known.</param>
/// <param name="Domain">Where it is from, if known.</param>
public readonly record struct ReportText(string Text, string? Language = null, string? Domain = null);

/// <summary>A vocabulary entry and a figure.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">Its text: mapped characters for byte-level tokens.</param>
/// <param name="Figure">Bytes, or occurrences.</param>
public readonly record struct TokenFigure(int Id, string Text, long Figure);

/// <summary>How texts of one kind are encoded.</summary>
/// <param name="Name">The language or domain, or <c>(unknown)</c>.</param>
/// <param name="Texts">Texts of that kind.</param>
/// <param name="Bytes">Their UTF-8 bytes.</param>
/// <param name="Words">Their word-like chunks: those of the Llama-3 split that hold a letter.</param>
/// <param name="Tokens">Their tokens, by tokenizer.</param>
public sealed record GroupFigures(string Name, int Texts, long Bytes, long Words, IReadOnlyList<long> Tokens)
{
    /// <summary>Bytes of text a token stands for on average: more is better.</summary>
    public double BytesPerToken(int tokenizer) => Tokens[tokenizer] == 0 ? 0 : (double)Bytes / Tokens[tokenizer];

    /// <summary>Tokens for each word-like chunk, white space and punctuation included: fewer is better.</summary>
    public double TokensPerWord(int tokenizer) => Words == 0 ? 0 : (double)Tokens[tokenizer] / Words;
}

/// <summary>What one tokenizer made of the texts.</summary>
/// <param name="VocabSize">Its ids.</param>
/// <param name="Fingerprint">Its fingerprint.</param>
/// <param name="Longest">Its longest tokens, by bytes.</param>
/// <param name="Learned">Tokens that are neither control tokens nor single bytes.</param>
/// <param name="Unused">How many of those the texts do not use.</param>
/// <param name="UnusedExamples">The first of those.</param>
/// <param name="Special">Each control token, and how often its text stands in the texts, where it is ordinary text.</param>
public sealed record TokenizerFigures(
    int VocabSize, string Fingerprint, IReadOnlyList<TokenFigure> Longest, int Learned, int Unused,
    IReadOnlyList<TokenFigure> UnusedExamples, IReadOnlyList<TokenFigure> Special);

/// <summary>How well one or more tokenizers fit texts: side by side, by language and by domain.</summary>
/// <param name="Total">All texts.</param>
/// <param name="Languages">By language, most bytes first; empty if no text has one.</param>
/// <param name="Domains">By domain, the same.</param>
/// <param name="Tokenizers">Each tokenizer, in the order given.</param>
/// <param name="EqualTexts">Texts that all tokenizers turn into the same ids.</param>
public sealed record TokenizerReport(
    GroupFigures Total, IReadOnlyList<GroupFigures> Languages, IReadOnlyList<GroupFigures> Domains,
    IReadOnlyList<TokenizerFigures> Tokenizers, int EqualTexts)
{
    private const int Examples = 20, MostGroups = 100;
    private const string Unknown = "(unknown)";

    /// <summary>Encodes every text with every tokenizer.</summary>
    public static TokenizerReport Measure(IEnumerable<ReportText> texts, params IReadOnlyList<Tokenizer> tokenizers)
    {
        var total = new Sum("", tokenizers.Count);
        Dictionary<string, Sum> languages = new(StringComparer.Ordinal), domains = new(StringComparer.Ordinal);
        var used = tokenizers.Select(tokenizer => new bool[tokenizer.VocabSize]).ToArray();
        var special = tokenizers.Select(tokenizer => new long[tokenizer.SpecialTokens.Count]).ToArray();
        var ids = tokenizers.Select(_ => new List<int>()).ToArray();
        int equal = 0;
        foreach (var (text, language, domain) in texts)
        {
            for (int i = 0; i < tokenizers.Count; i++)
            {
                ids[i].Clear();
                tokenizers[i].Encode(text, ids[i]);
                foreach (int id in ids[i]) used[i][id] = true;
                for (int token = 0; token < special[i].Length; token++)
                    special[i][token] += Occurrences(text, tokenizers[i].SpecialTokens[token].Content);
            }
            if (ids.All(list => list.SequenceEqual(ids[0]))) equal++;
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            long words = CountWords(utf8);
            foreach (var sum in new[] { total, Of(languages, language, tokenizers.Count), Of(domains, domain, tokenizers.Count) })
                sum.Add(utf8.Length, words, ids);
        }
        return new TokenizerReport(
            total.Figures(), Groups(languages), Groups(domains),
            [.. tokenizers.Select((tokenizer, i) => FiguresOf(tokenizer, used[i], special[i]))], equal);
    }

    /// <summary>The tokens of most bytes, ties by smaller id.</summary>
    public static IReadOnlyList<TokenFigure> Longest(Tokenizer tokenizer, int count) =>
        [.. OrdinaryIds(tokenizer).OrderByDescending(tokenizer.ByteLength).ThenBy(id => id).Take(count)
            .Select(id => new TokenFigure(id, tokenizer.TokenText(id), tokenizer.ByteLength(id)))];

    /// <summary>How many tokens, control tokens aside, stand for the same bytes in both vocabularies.</summary>
    public static int SharedTokens(Tokenizer first, Tokenizer second)
    {
        var tokens = OrdinaryIds(first).Select(id => Encoding.Latin1.GetString(first.TokenBytes(id))).ToHashSet(StringComparer.Ordinal);
        return OrdinaryIds(second).Select(id => Encoding.Latin1.GetString(second.TokenBytes(id))).Distinct(StringComparer.Ordinal)
            .Count(tokens.Contains);
    }

    /// <summary>Ids that are tokens and no control tokens.</summary>
    private static IEnumerable<int> OrdinaryIds(Tokenizer tokenizer) =>
        Enumerable.Range(0, tokenizer.VocabSize).Where(id => tokenizer.HasToken(id) && !tokenizer.IsSpecial(id));

    /// <summary>As JSON, with snake_case names.</summary>
    /// <param name="names">What to call the tokenizers, with which the names of their figures begin; <c>tokenizer</c> for the one
    /// whose figures need no such mark.</param>
    public JsonObject ToJson(params IReadOnlyList<string> names)
    {
        var json = GroupJson(Total, names);
        json.Remove("name");
        if (names.Count > 1) json["same_ids"] = EqualTexts;
        json["by_language"] = new JsonArray([.. Languages.Select(group => GroupJson(group, names))]);
        json["by_domain"] = new JsonArray([.. Domains.Select(group => GroupJson(group, names))]);
        for (int i = 0; i < names.Count; i++)
        {
            var figures = Tokenizers[i];
            json[names[i]] = new JsonObject
            {
                ["vocab_size"] = figures.VocabSize,
                ["fingerprint"] = figures.Fingerprint,
                ["bytes_per_token"] = Round(Total.BytesPerToken(i)),
                ["tokens_per_word"] = Round(Total.TokensPerWord(i)),
                ["learned_tokens"] = figures.Learned,
                ["unused_tokens"] = figures.Unused,
                ["unused_examples"] = TokensJson(figures.UnusedExamples, null),
                ["longest_tokens"] = TokensJson(figures.Longest, "bytes"),
                ["special_tokens"] = TokensJson(figures.Special, "in_text"),
            };
        }
        return json;
    }

    private static JsonObject GroupJson(GroupFigures group, IReadOnlyList<string> names)
    {
        var json = new JsonObject
        {
            ["name"] = group.Name, ["texts"] = group.Texts, ["bytes"] = group.Bytes, ["words"] = group.Words,
        };
        for (int i = 0; i < names.Count; i++)
        {
            string prefix = names[i] == "tokenizer" ? "" : names[i] + "_";
            json[prefix + "tokens"] = group.Tokens[i];
            json[prefix + "bytes_per_token"] = Round(group.BytesPerToken(i));
            json[prefix + "tokens_per_word"] = Round(group.TokensPerWord(i));
        }
        return json;
    }

    private static JsonArray TokensJson(IReadOnlyList<TokenFigure> tokens, string? figure) =>
        new([.. tokens.Select(token =>
        {
            var json = new JsonObject { ["id"] = token.Id, ["text"] = token.Text };
            if (figure is not null) json[figure] = token.Figure;
            return json;
        })]);

    private static double Round(double value) => Math.Round(value, 4);

    private static TokenizerFigures FiguresOf(Tokenizer tokenizer, bool[] used, long[] special)
    {
        var learned = OrdinaryIds(tokenizer).Where(id => tokenizer.ByteLength(id) > 1).ToList();
        var unused = learned.Where(id => !used[id]).ToList();
        return new TokenizerFigures(
            tokenizer.VocabSize, tokenizer.Fingerprint, Longest(tokenizer, Examples), learned.Count, unused.Count,
            [.. unused.Take(Examples).Select(id => new TokenFigure(id, tokenizer.TokenText(id), 0))],
            [.. tokenizer.SpecialTokens.Select((token, i) => new TokenFigure(token.Id, token.Content, special[i]))]);
    }

    private static long Occurrences(string text, string token)
    {
        long count = 0;
        for (int at = 0; (at = text.IndexOf(token, at, StringComparison.Ordinal)) >= 0; at += token.Length) count++;
        return count;
    }

    private static long CountWords(ReadOnlySpan<byte> utf8)
    {
        long words = 0;
        for (int start = 0, end; start < utf8.Length; start = end)
        {
            end = PreTokenizer.ChunkEnd(utf8, start, SplitPattern.Llama3);
            // In this split a letter comes first, or after one other character.
            Rune.DecodeFromUtf8(utf8[start..end], out Rune first, out int length);
            Rune.DecodeFromUtf8(utf8[(start + length)..end], out Rune second, out _); // U+FFFD, no letter, where there is none
            if (Rune.IsLetter(first) || Rune.IsLetter(second)) words++;
        }
        return words;
    }

    private static Sum Of(Dictionary<string, Sum> groups, string? name, int tokenizers)
    {
        if (!groups.TryGetValue(name ?? Unknown, out var sum)) groups[name ?? Unknown] = sum = new Sum(name ?? Unknown, tokenizers);
        return sum;
    }

    private static IReadOnlyList<GroupFigures> Groups(Dictionary<string, Sum> groups) => groups.Keys.All(name => name == Unknown)
        ? []
        : [.. groups.Values.Select(sum => sum.Figures()).OrderByDescending(group => group.Bytes)
            .ThenBy(group => group.Name, StringComparer.Ordinal).Take(MostGroups)];

    private sealed class Sum(string name, int tokenizers)
    {
        private readonly long[] _tokens = new long[tokenizers];
        private int _texts;
        private long _bytes, _words;

        public void Add(long bytes, long words, List<int>[] ids)
        {
            _texts++;
            _bytes += bytes;
            _words += words;
            for (int i = 0; i < ids.Length; i++) _tokens[i] += ids[i].Count;
        }

        public GroupFigures Figures() => new(name, _texts, _bytes, _words, _tokens);
    }
}
