using Finery.Data;

namespace Finery.Workflow.Steps;

/// <summary>What one document can be asked about: a question, and the answer the document gives.</summary>
/// <param name="Id">Id of the document.</param>
/// <param name="Name">Groups documents about the same thing (overloads).</param>
/// <param name="Family">Siblings share it: the declaring type.</param>
/// <param name="Context">What precedes the answer in the document itself: how a base model is asked.</param>
/// <param name="Question">How a user asks.</param>
/// <param name="Answer">What the document says.</param>
internal sealed record Subject(string Id, string Name, string Family, string Context, string Question, string Answer)
{
    private const int MinAnswerCharacters = 20;
    private const int MaxAnswerCharacters = 400;

    private static readonly string[] AboutMethods =
        ["What does {0} do?", "What is {0} for?", "Explain {0}.", "Describe the {0} method.", "Tell me about {0}."];

    private static readonly string[] AboutValues =
        ["What is {0}?", "What does {0} mean?", "Explain {0}.", "Describe {0}.", "Tell me about {0}."];

    private static readonly string[] AboutText =
        ["What comes after this: {0}", "Continue this text: {0}", "How does this go on: {0}"];

    /// <summary>Turns a document into a subject: a documented member by its name and summary, any other text by its opening and what
    /// follows it. Null when there is not enough to answer.</summary>
    public static Subject? From(Document document, ulong seed)
    {
        string? name = (string?)document.Metadata["name"], summary = (string?)document.Metadata["summary"];
        if (name is not null && summary is not null) return FromMember(document, name, summary, seed);

        int cut = SentenceEnd(document.Text, 30, 200);
        if (cut < 0) return null;
        string opening = document.Text[..cut].Trim(), rest = document.Text[cut..].Trim();
        string answer = Shorten(rest);
        if (opening.Length == 0 || answer.Length < MinAnswerCharacters) return null;
        return new(document.Id, document.Id, "", opening + "\n", Ask(AboutText, opening, document.Id, seed), answer);
    }

    private static Subject? FromMember(Document document, string name, string summary, ulong seed)
    {
        string answer = Shorten(summary);
        int heading = document.Text.IndexOf("\n\n", StringComparison.Ordinal);
        if (heading < 0 || answer.Length < MinAnswerCharacters) return null;
        string shortName = (string?)document.Metadata["short_name"] ?? name;
        var phrasings = (string?)document.Metadata["kind"] == "method" ? AboutMethods : AboutValues;
        return new(document.Id, name, (string?)document.Metadata["type"] ?? "", document.Text[..(heading + 2)],
            Ask(phrasings, shortName, document.Id, seed), answer);
    }

    private static string Ask(string[] phrasings, string about, string id, ulong seed) => string.Format(
        System.Globalization.CultureInfo.InvariantCulture, phrasings[StableHash.Of(id, seed) % (ulong)phrasings.Length], about);

    /// <summary>Cuts at a sentence end so that an answer is never a fragment where it can be helped.</summary>
    private static string Shorten(string text)
    {
        text = text.Trim();
        if (text.Length <= MaxAnswerCharacters) return text;
        int end = SentenceEnd(text, MinAnswerCharacters, MaxAnswerCharacters);
        if (end < 0) end = text.LastIndexOf(' ', MaxAnswerCharacters);
        if (end <= 0) end = char.IsHighSurrogate(text[MaxAnswerCharacters - 1]) ? MaxAnswerCharacters - 1 : MaxAnswerCharacters;
        return text[..end].TrimEnd();
    }

    private static int SentenceEnd(string text, int from, int to)
    {
        for (int i = from; i < Math.Min(to, text.Length); i++)
        {
            if (text[i] == '\n') return i;
            if (text[i] is '.' or '!' or '?' && i + 1 < text.Length && char.IsWhiteSpace(text[i + 1])) return i + 1;
        }
        return -1;
    }
}
