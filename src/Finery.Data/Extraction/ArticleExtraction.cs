namespace Finery.Data.Extraction;

/// <summary>Finds the body of an article by the names and elements that pages use for it, prunes it and writes its
/// lines.</summary>
internal sealed class ArticleExtraction
{
    /// <summary>Fewest characters of an article; below, more is looked for.</summary>
    public const int FewestCharacters = 250;

    private const int RepeatedPart = 50;
    private const double NearlyAll = 0.95;
    private const int EnoughCharacters = 400;
    private const int LongItem = 50;
    private readonly BoilerplatePruner _pruner = new();
    private int[] _paragraphs = [];

    /// <summary>The expression that found the body, from 1; 0 if none did.</summary>
    public int Expression { get; private set; }

    /// <summary>Whether paragraphs from elsewhere were added.</summary>
    public bool Recovered { get; private set; }

    /// <summary>Finds the lines of the article; none if the page has none.</summary>
    /// <param name="tree">The page, cleaned.</param>
    /// <param name="writer">Writes the lines.</param>
    /// <param name="precision">Whether to leave out what is doubtful.</param>
    /// <param name="headline">What is no part of the text at its start; null to keep it.</param>
    public List<TextLine> Extract(PageTree tree, BlockWriter writer, bool precision, string? headline)
    {
        Expression = 0;
        Recovered = false;
        List<TextLine> lines = [];
        MeasureParagraphs(tree);
        for (var expression = 1; expression <= 5; expression++)
        {
            var root = Find(tree, expression);
            if (root < 0)
                continue;
            root = Narrow(tree, root, expression);
            var found = ExtractBelow(tree, writer, root, precision);
            TextLines.RemoveHeadline(found, headline);
            if (found.Count > lines.Count)
            {
                lines = found;
                Expression = expression;
            }
            if (found.Count > 1)
                break;
        }
        if (TextLines.Characters(lines) >= EnoughCharacters)
            return lines;
        Recover(tree, writer, lines, precision);
        return lines;
    }

    private List<TextLine> ExtractBelow(PageTree tree, BlockWriter writer, int root, bool precision)
    {
        tree.Clear(NodeState.Pruned);
        _pruner.Prune(tree, root, precision);
        writer.Clear();
        writer.Write(tree, root, BoilerplatePruner.Unseen);
        var inParagraphs = 0;
        foreach (var block in writer.Blocks)
        {
            if (block.Kind == BlockKind.Paragraph)
                inParagraphs += block.Length;
        }
        return TextLines.Pick(writer, inParagraphs < FewestCharacters * (precision ? 1 : 3));
    }

    // Characters in paragraphs before each node.
    private void MeasureParagraphs(PageTree tree)
    {
        var nodes = tree.Nodes;
        PageTree.Fit(ref _paragraphs, nodes.Length + 1);
        var sum = 0;
        var paragraphEnd = 0;
        for (var i = 0; i < nodes.Length;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & NodeState.Deleted) != 0)
            {
                Array.Fill(_paragraphs, sum, i, node.End - i);
                i = node.End;
                continue;
            }
            _paragraphs[i] = sum;
            if (node.Tag == HtmlTag.P)
                paragraphEnd = Math.Max(paragraphEnd, node.End);
            if (i < paragraphEnd)
                sum += node.Characters;
            i++;
        }
        _paragraphs[nodes.Length] = sum;
    }

    // A body within the body that holds nearly all of its paragraphs is the better one.
    private int Narrow(PageTree tree, int root, int expression)
    {
        var nodes = tree.Nodes;
        var whole = _paragraphs[nodes[root].End] - _paragraphs[root];
        var names = expression <= 2 ? NameTraits.Body1 : NameTraits.Body1 | NameTraits.Body3;
        for (var i = root + 1; i < nodes[root].End && whole >= FewestCharacters;)
        {
            ref readonly var node = ref nodes[i];
            var inside = _paragraphs[node.End] - _paragraphs[i];
            if (inside < NearlyAll * whole)
            {
                i = node.End;
                continue;
            }
            if ((node.Names & names) != 0 || node.Tag == HtmlTag.Article)
                root = i;
            i++;
        }
        return root;
    }

    private static int Find(PageTree tree, int expression)
    {
        var name = expression switch
        {
            1 => NameTraits.Body1,
            3 => NameTraits.Body3,
            4 => NameTraits.Body4,
            5 => NameTraits.Body5,
            _ => NameTraits.None,
        };
        var nodes = tree.Nodes;
        for (var i = 0; i < nodes.Length;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & NodeState.Deleted) != 0)
            {
                i = node.End;
                continue;
            }
            if (expression == 2 ? node.Tag == HtmlTag.Article : (node.Names & name) != 0)
                return i;
            i++;
        }
        return -1;
    }

    // Paragraphs, quotations, programs, rows and long entries of lists from anywhere.
    private void Recover(PageTree tree, BlockWriter writer, List<TextLine> lines, bool precision)
    {
        tree.Clear(NodeState.Pruned);
        _pruner.Prune(tree, 0, precision);
        writer.Clear();
        writer.Write(tree, tree.Body, BoilerplatePruner.Unseen);
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (var line in lines)
            known.Add(line.Text);
        var present = string.Join('\n', lines.Select(line => line.Text));
        foreach (var line in TextLines.Pick(writer, keepLoose: false))
        {
            var isText = line.Kind is BlockKind.Paragraph or BlockKind.Quote or BlockKind.Code or BlockKind.Row
                || (line.Kind == BlockKind.Item && line.Text.Length >= LongItem);
            if (!isText || !known.Add(line.Text)
                || (line.Text.Length > RepeatedPart && present.Contains(line.Text, StringComparison.Ordinal)))
                continue;
            lines.Add(line);
            Recovered = true;
        }
    }
}
