using System.Text;

namespace Finery.Data.Extraction;

/// <summary>What became of a page.</summary>
/// <param name="Text">Its running text, a line for each block; empty if there is none.</param>
/// <param name="Title">Its title; null if it has none.</param>
/// <param name="Language">The language it declares (<c>html lang</c>), as it stands; null if it declares none.</param>
/// <param name="Outcome">How it ended.</param>
/// <param name="Stage">What found the text: <c>own_1</c> to <c>own_5</c> by the expression that found the body,
/// <c>own_paragraphs</c> if none did, <c>readability</c> or <c>justext</c>; null if there is none.</param>
public sealed record ExtractionResult(string Text, string? Title, string? Language, ExtractionOutcome Outcome, string? Stage);

/// <summary>
/// Extracts the running text of an HTML page: comments, menus, advertising and other boilerplate are left out, programs, formulas
/// and tables kept. What it does depends on the page alone, never on others. It is thread-safe.
/// </summary>
/// <remarks>
/// The steps: clean the page; find the body by the names and elements that pages use; prune it by ids and classes, then by the
/// density of links; if little is left, gather paragraphs from elsewhere; compare with a body found by votes of paragraphs
/// (Readability), then, if there is still little, with lines chosen by stop words (jusText). The rules and figures are those of
/// trafilatura's precision mode, but for these: nothing is remembered from one page to the next; text after an empty element
/// stays; a name is not believed of what holds most of the text; a body within the body that has nearly all paragraphs is taken
/// instead; the headline is left out; articles after the page's own, of its kind, are other documents; quotations that are
/// embedded stay.
/// </remarks>
public sealed class HtmlExtractor
{
    private const int JusTextRatio = 3;

    [ThreadStatic]
    private static Workspace? t_workspace;

    /// <summary>Whether to leave out what is doubtful rather than keep it.</summary>
    public bool Precision { get; init; } = true;

    /// <summary>Whether to add readers' comments after the text.</summary>
    public bool Comments { get; init; }

    /// <summary>Whether to keep tables.</summary>
    public bool Tables { get; init; } = true;

    /// <summary>Whether the headline stays in the text, though it is the title.</summary>
    public bool Headline { get; init; }

    /// <summary>Most elements and texts of a page; beyond, it is not extracted. 0 for no limit.</summary>
    public int MaxNodes { get; init; } = 1_000_000;

    /// <summary>Most milliseconds for a page, asked for now and then. 0 for no limit.</summary>
    public int MaxMilliseconds { get; init; } = 5000;

    /// <summary>Extracts the text of a page.</summary>
    public ExtractionResult Extract(string html)
    {
        ArgumentNullException.ThrowIfNull(html);
        var workspace = t_workspace ??= new();
        try
        {
            return Extract(html, workspace);
        }
        finally
        {
            workspace.Tree.Start("");
        }
    }

    private ExtractionResult Extract(string html, Workspace workspace)
    {
        var deadline = new Deadline(MaxMilliseconds);
        var tree = workspace.Tree;
        var outcome = workspace.Builder.Build(tree, html, MaxNodes > 0 ? MaxNodes : int.MaxValue, deadline);
        if (outcome != ExtractionOutcome.Extracted)
            return new("", null, null, outcome, null);
        NameRules.Classify(tree);
        var title = PageTitle.Find(tree);
        var language = tree.Attribute(0, HtmlAttribute.Lang);
        var declared = language.IsWhiteSpace() ? null : Formula.Resolve(language);
        PageCleaner.Clean(tree, Tables);
        if (deadline.IsOver)
            return new("", title, declared, ExtractionOutcome.Timeout, null);

        var lines = workspace.Article.Extract(tree, workspace.Writer, Precision, Headline ? null : title ?? "");
        var stage = workspace.Article.Expression == 0 ? "own_paragraphs" : $"own_{workspace.Article.Expression}";
        if (deadline.IsOver)
            return new("", title, declared, ExtractionOutcome.Timeout, null);
        lines = Compare(workspace, lines, deadline, ref stage);
        if (deadline.IsOver)
            return new("", title, declared, ExtractionOutcome.Timeout, null);
        if (!Headline)
            TextLines.RemoveHeadline(lines, title ?? "");
        if (Comments)
            AddComments(tree, workspace.Writer, lines);
        return lines.Count == 0
            ? new("", title, declared, ExtractionOutcome.Empty, null)
            : new(Join(lines), title, declared, ExtractionOutcome.Extracted, stage);
    }

    private List<TextLine> Compare(Workspace workspace, List<TextLine> lines, in Deadline deadline, ref string stage)
    {
        var tree = workspace.Tree;
        var length = TextLines.Characters(lines);
        // The fallback cannot win where it cannot have twice as much.
        var isDeficient = IsDeficient(lines);
        if (isDeficient || tree.VisibleCharacters(0, NodeState.Deleted) > 2L * length)
        {
            var others = workspace.Readability.Extract(tree, workspace.Writer, Precision);
            if (PrefersReadability(lines, length, others, isDeficient))
            {
                lines = others;
                stage = "readability";
                length = TextLines.Characters(lines);
            }
        }
        if (length >= ArticleExtraction.FewestCharacters || deadline.IsOver)
            return lines;
        var good = JusTextExtraction.Extract(tree, workspace.Writer);
        var goodLength = TextLines.Characters(good);
        if (goodLength == 0 || length > (long)JusTextRatio * goodLength)
            return lines;
        stage = "justext";
        return good;
    }

    private static bool PrefersReadability(List<TextLine> lines, int length, List<TextLine> others, bool isDeficient)
    {
        var otherLength = TextLines.Characters(others);
        if (otherLength == 0 || otherLength == length || length > 2L * otherLength)
            return false;
        return length == 0 || (otherLength > 2L * length && !others[0].Text.StartsWith('{'))
            || (isDeficient && otherLength > 2 * ArticleExtraction.FewestCharacters);
    }

    // No text in paragraphs.
    private static bool IsDeficient(List<TextLine> lines)
    {
        var paragraphs = 0;
        foreach (var line in lines)
        {
            if (line.Kind is BlockKind.Paragraph or BlockKind.AfterBreak or BlockKind.Loose or BlockKind.Quote)
                paragraphs++;
        }
        return paragraphs == 0;
    }

    private void AddComments(PageTree tree, BlockWriter writer, List<TextLine> lines)
    {
        var nodes = tree.Nodes;
        for (var i = 0; i < nodes.Length;)
        {
            if ((nodes[i].Names & NameTraits.Comments) == 0)
            {
                i++;
                continue;
            }
            PageCleaner.Clean(tree, i, NameTraits.None, Tables);
            writer.Clear();
            nodes[i].State = NodeState.None;
            writer.Write(tree, i, NodeState.Deleted);
            lines.AddRange(TextLines.Pick(writer, keepLoose: true));
            i = nodes[i].End;
        }
    }

    private static string Join(List<TextLine> lines)
    {
        var text = new StringBuilder(TextLines.Characters(lines));
        foreach (var line in lines)
        {
            if (text.Length > 0)
                text.Append('\n');
            text.Append(line.Text);
        }
        return text.ToString();
    }

    private sealed class Workspace
    {
        public PageTree Tree { get; } = new();

        public TreeBuilder Builder { get; } = new();

        public BlockWriter Writer { get; } = new();

        public ArticleExtraction Article { get; } = new();

        public ReadabilityExtraction Readability { get; } = new();
    }
}
