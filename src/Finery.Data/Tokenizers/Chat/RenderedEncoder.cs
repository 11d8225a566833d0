using System.Text;
using Finery.Data.Tokenizers.Jinja;

namespace Finery.Data.Tokenizers;

/// <summary>Tokens of a rendered conversation: the template's control tokens, and what lies between them as ordinary text.</summary>
internal sealed class RenderedEncoder(Tokenizer tokenizer, ContentGuard guard)
{
    private readonly Dictionary<string, AddedToken> _control = tokenizer.SpecialTokens.Where(token => token.Special)
        .DistinctBy(token => token.Content).ToDictionary(token => token.Content, StringComparer.Ordinal);

    /// <summary>Ids of a text with marks, and which of them cover a character of <paramref name="spans"/>.</summary>
    public (List<int> Ids, List<bool> Trained) Encode(string text, IReadOnlyList<(int Start, int End)> spans)
    {
        var ids = new List<int>(text.Length / 3);
        var trained = new List<bool>(ids.Capacity);
        int from = 0, search = 0;
        while (true)
        {
            var (at, content) = guard.Next(text, search);
            AddedToken? token = at < 0 ? null : _control[content];
            if (token is { SingleWord: true } && (IsWord(text, at - 1) || IsWord(text, at + content.Length)))
            {
                search = at + 1;
                continue;
            }
            int start = at < 0 ? text.Length : at, end = start + content.Length;
            if (token is { StripsLeft: true })
            {
                while (start > from && Characters.IsSpace(text[start - 1])) start--;
            }
            EncodePlain(text, from, start, spans, ids, trained);
            if (token is null) return (ids, trained);
            if (token.StripsRight)
            {
                while (end < text.Length && Characters.IsSpace(text[end])) end++;
            }
            ids.Add(token.Id);
            trained.Add(Overlaps(spans, at, at + content.Length));
            from = search = end;
        }
    }

    private void EncodePlain(
        string text, int from, int to, IReadOnlyList<(int Start, int End)> spans, List<int> ids, List<bool> trained)
    {
        if (from == to) return;
        string plain = ContentGuard.Unmarked(text[from..to]);
        bool isCut = spans.Any(span => (span.Start > from && span.Start < to) || (span.End > from && span.End < to));
        if (!isCut)
        {
            AppendIds(plain, isFirst: from == 0, ids);
            bool value = Overlaps(spans, from, to);
            while (trained.Count < ids.Count) trained.Add(value);
            return;
        }
        var ranges = new List<(int Start, int End)>();
        tokenizer.Encode(plain, ids, ranges, allowSpecial: false);
        var bytes = spans.Where(span => span.Start < to && span.End > from)
            .Select(span => (Bytes(text, from, Math.Max(from, span.Start)), Bytes(text, from, Math.Min(to, span.End)))).ToList();
        foreach (var (start, end) in ranges) trained.Add(Overlaps(bytes, start, end));
    }

    /// <summary>Some tokenizers treat the beginning of a text apart (a space goes before it). A stretch behind a control token is
    /// no beginning: it is encoded behind one, where that is safe.</summary>
    private void AppendIds(string plain, bool isFirst, List<int> ids)
    {
        if (isFirst || tokenizer.IsByteLevelBpe || _control.Count == 0 || guard.Next(plain, 0).At >= 0)
        {
            tokenizer.Encode(plain, ids);
            return;
        }
        string token = _control.Values.FirstOrDefault(token => !token.StripsRight && !token.SingleWord)?.Content ?? "";
        int before = ids.Count;
        tokenizer.Encode(token + plain, ids, allowSpecial: true);
        if (token.Length > 0) ids.RemoveAt(before);
    }

    private static int Bytes(string text, int from, int to) => Encoding.UTF8.GetByteCount(ContentGuard.Unmarked(text[from..to]));

    private static bool Overlaps(IReadOnlyList<(int Start, int End)> spans, int start, int end)
    {
        for (int i = 0; i < spans.Count; i++)
        {
            if (start < spans[i].End && end > spans[i].Start) return true;
        }
        return false;
    }

    private static bool IsWord(string text, int at) => at >= 0 && at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] == '_');
}
