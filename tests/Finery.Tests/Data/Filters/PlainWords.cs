using System.Text.RegularExpressions;
using Finery.Data.Filters.Segmentation;

namespace Finery.Tests.Data.Filters;

/// <summary>spaCy's rules in their own form: three regular expressions and a loop. Slow; for characters of the basic
/// plane.</summary>
internal sealed class PlainWords
{
    private readonly Regex _prefix, _suffix, _infix, _address;
    private readonly Dictionary<string, int[]> _exceptions;
    private readonly List<(string Key, List<string> Words)> _patterns = [];

    public PlainWords(bool english)
    {
        var exceptions = new WordExceptions(english);
        _exceptions = exceptions.All.ToDictionary(key => key, key => exceptions.Find(key)!);
        string lower = Class(WordRoles.Lower), upper = Class(WordRoles.Upper), alpha = Class(WordRoles.Alpha);
        string quote = Class(WordRoles.Quote), icon = $"[{Class(WordRoles.Icon)}]";
        string currency = string.Join('|', WordCharacters.Currencies.Select(Regex.Escape));
        string both = $"[{Class(WordRoles.Prefix | WordRoles.Suffix)}]";
        _prefix = new($@"\A(?:[§%=—–]|\+(?![0-9])|\.\.+|{both}|{currency}|{icon})", RegexOptions.CultureInvariant);
        string units = string.Join('|', Units().Select(Regex.Escape));
        _suffix = new(
            $@"(?:……|{both}|\.\.+|{icon}|'s|'S|’s|’S|—|–|(?<=[0-9])\+|(?<=°[FfCcKk])\.|(?<=[0-9])(?:{units})|(?<=[{
                Class(WordRoles.BeforeStop)}])\.|(?<=[{upper}][{upper}])\.)\z", RegexOptions.CultureInvariant);
        string digit = english ? "0-9" : "";
        _infix = new(
            $@"\.\.+|…|{icon}|(?<=[0-9])[+\-*^](?=[0-9-])|(?<=[{lower}{quote}])\.(?=[{upper}{quote}])|(?<=[{alpha}]),(?=[{alpha}])"
            + $@"|(?<=[{alpha}{digit}])(?:-|–|—|--|---|——|~)(?=[{alpha}])|(?<=[{alpha}0-9])[:<>=/](?=[{alpha}])",
            RegexOptions.CultureInvariant);
        string host = @"A-Za-z0-9\u00a1-\ud7ff\ue000-\uffff";
        _address = new(
            @"\A(?:[\w+\-.]{2,}://)?(?:\S+(?::\S*)?@)?(?:(?!(?:10|127)(?:\.\d{1,3}){3})(?!(?:169\.254|192\.168)(?:\.\d{1,3}){2})"
            + @"(?!172\.(?:1[6-9]|2\d|3[0-1])(?:\.\d{1,3}){2})"
            + @"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5])){2}"
            + $@"(?:\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4]))|(?:(?:[{host}][{host}_-]{{0,62}})?[{host}]\.)+[{lower}]{{2,63}})"
            + @"(?::\d{2,5})?(?:[/?#]\S*)?\z", RegexOptions.CultureInvariant);
        foreach (string key in exceptions.All)
        {
            var words = ByRules(key, useExceptions: false);
            if (words.Count > 1) _patterns.Add((key, words));
        }
    }

    public List<string> Split(string text)
    {
        List<string> words = [];
        foreach (string piece in text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            words.AddRange(Rejoin(
                _exceptions.TryGetValue(piece, out var lengths) ? Parts(piece, lengths) : ByRules(piece, useExceptions: true)));
        return words;
    }

    private List<string> ByRules(string piece, bool useExceptions)
    {
        bool Special(string text) => useExceptions && _exceptions.ContainsKey(text);
        List<string> words = [];
        Stack<string> suffixes = new();
        for (int last = -1; piece.Length > 0 && piece.Length != last && !Special(piece);)
        {
            last = piece.Length;
            int prefix = _prefix.Match(piece) is { Success: true } front ? front.Length : 0;
            if (prefix > 0 && Special(piece[prefix..]))
            {
                words.Add(piece[..prefix]);
                piece = piece[prefix..];
                break;
            }
            int suffix = _suffix.Match(piece[prefix..]) is { Success: true } back ? back.Length : 0;
            if (suffix > 0) suffixes.Push(piece[^suffix..]);
            if (suffix > 0 && Special(piece[..^suffix]))
            {
                piece = piece[..^suffix];
                break;
            }
            if (prefix > 0) words.Add(piece[..prefix]);
            piece = piece[prefix..^suffix];
        }
        if (Special(piece)) words.AddRange(Parts(piece, _exceptions[piece]));
        else if (_address.IsMatch(piece)) words.Add(piece);
        else
        {
            int start = 0;
            foreach (Match match in _infix.Matches(piece).Where(match => match.Index > 0))
            {
                if (match.Index > start) words.Add(piece[start..match.Index]);
                words.Add(match.Value);
                start = match.Index + match.Length;
            }
            if (start < piece.Length) words.Add(piece[start..]);
        }
        return [.. words, .. suffixes];
    }

    private List<string> Rejoin(List<string> words)
    {
        var found = from pattern in _patterns
                    from first in Enumerable.Range(0, words.Count)
                    where words.Skip(first).Take(pattern.Words.Count).SequenceEqual(pattern.Words)
                    orderby pattern.Words.Count descending, first
                    select (First: first, pattern.Words.Count, pattern.Key);
        HashSet<int> taken = [];
        Dictionary<int, (int Count, string Key)> chosen = [];
        foreach (var (first, count, key) in found.ToList())
        {
            if (!taken.Contains(first) && !taken.Contains(first + count - 1)) chosen[first] = (count, key);
            taken.UnionWith(Enumerable.Range(first, count));
        }
        List<string> result = [];
        for (int w = 0; w < words.Count; w++)
        {
            if (!chosen.TryGetValue(w, out var run))
            {
                result.Add(words[w]);
                continue;
            }
            result.AddRange(Parts(run.Key, _exceptions[run.Key]));
            w += run.Count - 1;
        }
        return result;
    }

    private static List<string> Parts(string text, int[] lengths)
    {
        List<string> parts = [];
        foreach (int length in lengths)
        {
            parts.Add(text[..length]);
            text = text[length..];
        }
        return parts;
    }

    private static IEnumerable<string> Units() => ResourceLines.Of("WordCharacters.txt")
        .SkipWhile(line => !line.StartsWith("currency:", StringComparison.Ordinal))
        .SelectMany(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(unit => unit is not ("currency:" or "units:"));

    /// <summary>Every character of the basic plane that has all these roles, as the inside of a character class.</summary>
    private static string Class(WordRoles roles)
    {
        string Escape(int c) => $"\\u{c:x4}";
        List<string> ranges = [];
        for (int c = 0, start = -1; c <= 0x10000; c++)
        {
            bool has = c < 0x10000 && ((WordRoles)WordCharacters.Roles[c] & roles) == roles;
            if (has && start < 0) start = c;
            if (has || start < 0) continue;
            ranges.Add(Escape(start) + "-" + Escape(c - 1));
            start = -1;
        }
        return string.Concat(ranges);
    }
}
