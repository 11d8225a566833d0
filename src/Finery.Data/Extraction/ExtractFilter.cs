using System.Text;
using Finery.Data.Filters;

namespace Finery.Data.Extraction;

/// <summary>
/// Turns an HTML page into its running text. Documents whose <c>media_type</c> is another than HTML or XHTML pass untouched. Sets
/// <c>title</c> and <c>language_declared</c> where the page has them.
/// </summary>
public sealed record ExtractFilter : DocumentFilter
{
    /// <summary>Whether to leave out what is doubtful rather than keep it.</summary>
    public bool Precision { get; init; } = true;

    /// <summary>Whether to add readers' comments after the text.</summary>
    public bool Comments { get; init; }

    /// <summary>Whether to keep tables.</summary>
    public bool Tables { get; init; } = true;

    /// <summary>Whether the headline stays in the text, though it becomes <c>title</c>.</summary>
    public bool Headline { get; init; }

    /// <summary>Most bytes of a page in UTF-8; above: <c>extract_too_large</c>. 0 for no limit.</summary>
    public int MaxBytes { get; init; } = 8 << 20;

    /// <summary>Most elements and texts of a page; above: <c>extract_too_complex</c>. 0 for no limit.</summary>
    public int MaxNodes { get; init; } = 1_000_000;

    /// <summary>Most milliseconds for a page; above: <c>extract_timeout</c>. It is the only limit that depends on the machine,
    /// far above what a page within the others takes. 0 for no limit.</summary>
    public int MaxMilliseconds { get; init; } = 5000;

    /// <summary>Whether to set <c>extraction_stage</c>, what found the text.</summary>
    public bool Explain { get; init; }

    /// <inheritdoc/>
    public override void Apply(WorkingDocument document)
    {
        if (document.GetMetadata("media_type") is { } mediaType && !IsHtml(mediaType))
            return;
        if (MaxBytes > 0 && document.RejectAbove("extract_too_large", Encoding.UTF8.GetByteCount(document.Text), MaxBytes))
            return;
        var extractor = new HtmlExtractor
        {
            Precision = Precision, Comments = Comments, Tables = Tables, Headline = Headline, MaxNodes = MaxNodes,
            MaxMilliseconds = MaxMilliseconds,
        };
        var result = extractor.Extract(document.Text);
        if (document.RejectIf("extract_too_complex", result.Outcome == ExtractionOutcome.TooComplex)
            || document.RejectIf("extract_timeout", result.Outcome == ExtractionOutcome.Timeout)
            || document.RejectIf("extract_empty", result.Outcome == ExtractionOutcome.Empty))
            return;
        document.Rewrite(result.Text);
        // From here on it is text, to whatever asks.
        document.SetMetadata("media_type", "text/plain");
        if (result.Title is not null)
            document.SetMetadata("title", result.Title);
        if (result.Language is not null)
            document.SetMetadata("language_declared", result.Language);
        if (Explain)
            document.SetMetadata("extraction_stage", result.Stage);
    }

    private static bool IsHtml(string mediaType)
    {
        var type = mediaType.AsSpan();
        var parameters = type.IndexOf(';');
        type = (parameters < 0 ? type : type[..parameters]).Trim();
        return type.Equals("text/html", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/xhtml+xml", StringComparison.OrdinalIgnoreCase);
    }
}
