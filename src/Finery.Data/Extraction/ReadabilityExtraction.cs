namespace Finery.Data.Extraction;

/// <summary>
/// The fallback that knows no names of articles: paragraphs vote for what holds them, by length and commas, and the element with
/// most votes and few links is the article, after Readability.
/// </summary>
internal sealed class ReadabilityExtraction
{
    private const int ShortestParagraph = 25;
    private const int FewestCharacters = 250;
    private const double MostOfText = 0.6;
    private const NodeState Unseen = NodeState.Deleted | NodeState.Dropped;

    private record struct Sums(
        int Characters, int LinkCharacters, int Commas, int Paragraphs, int Images, int Items, int Inputs, int Embeds);

    private Sums[] _sums = [];
    private double[] _scores = [];
    private bool[] _isCandidate = [];
    private bool[] _isDivided = [];

    /// <summary>Lines of the article; none if nothing got a vote.</summary>
    public List<TextLine> Extract(PageTree tree, BlockWriter writer, bool precision)
    {
        PageTree.Fit(ref _sums, tree.Count + 1);
        PageTree.Fit(ref _scores, tree.Count);
        PageTree.Fit(ref _isCandidate, tree.Count);
        PageTree.Fit(ref _isDivided, tree.Count);
        var lines = Extract(tree, writer, precision, strict: true);
        return TextLines.Characters(lines) < FewestCharacters ? Extract(tree, writer, precision, strict: false) : lines;
    }

    private List<TextLine> Extract(PageTree tree, BlockWriter writer, bool precision, bool strict)
    {
        tree.Clear(NodeState.Dropped);
        Drop(tree, (strict ? NameTraits.Unlikely : NameTraits.None)
            | (precision ? NameTraits.Boilerplate | NameTraits.Hidden : NameTraits.Hidden));
        Measure(tree);
        Score(tree);
        var best = Best(tree);
        writer.Clear();
        if (best < 0)
            return [];
        Sanitize(tree, tree.Nodes[best].Parent < 0 ? best : tree.Nodes[best].Parent);
        WriteWithSiblings(tree, writer, best);
        return TextLines.Pick(writer, keepLoose: true);
    }

    private static void Drop(PageTree tree, NameTraits names)
    {
        var nodes = tree.Nodes;
        var most = MostOfText * tree.VisibleCharacters(0, Unseen);
        for (var i = 1; i < nodes.Length;)
        {
            ref var node = ref nodes[i];
            if ((node.Names & names) == 0 || node.Tag == HtmlTag.Body || tree.VisibleCharacters(i, Unseen) > most)
            {
                i++;
                continue;
            }
            node.State |= NodeState.Dropped;
            i = node.End;
        }
    }

    private void Measure(PageTree tree)
    {
        var nodes = tree.Nodes;
        var sum = default(Sums);
        var linkEnd = 0;
        Array.Clear(_isDivided, 0, nodes.Length);
        Array.Clear(_isCandidate, 0, nodes.Length);
        for (var i = 0; i < nodes.Length;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & Unseen) != 0)
            {
                Array.Fill(_sums, sum, i, node.End - i);
                i = node.End;
                continue;
            }
            _sums[i] = sum;
            switch (node.Tag)
            {
                case HtmlTag.Text:
                    sum.Characters += node.Characters;
                    sum.LinkCharacters += i < linkEnd ? node.Characters : 0;
                    sum.Commas += tree.Text(i).Count(',');
                    break;
                case HtmlTag.A:
                    linkEnd = Math.Max(linkEnd, node.End);
                    break;
                case HtmlTag.P:
                    sum.Paragraphs++;
                    break;
                case HtmlTag.Img:
                    sum.Images++;
                    break;
                case HtmlTag.Li:
                    sum.Items++;
                    break;
                case HtmlTag.Input:
                    sum.Inputs++;
                    break;
                case HtmlTag.Embed:
                    sum.Embeds++;
                    break;
            }
            i++;
        }
        _sums[nodes.Length] = sum;
        MarkDivided(nodes);
    }

    // A division with no block in it is a paragraph.
    private void MarkDivided(ReadOnlySpan<PageNode> nodes)
    {
        for (var i = nodes.Length - 1; i > 0; i--)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & Unseen) != 0)
                continue;
            if (_isDivided[i] || node.Tag is HtmlTag.A or HtmlTag.Blockquote or HtmlTag.Dl or HtmlTag.Div or HtmlTag.Img
                or HtmlTag.Ol or HtmlTag.P or HtmlTag.Pre or HtmlTag.Table or HtmlTag.Ul)
                _isDivided[node.Parent] = true;
        }
    }

    private void Score(PageTree tree)
    {
        var nodes = tree.Nodes;
        for (var i = 1; i < nodes.Length;)
        {
            ref readonly var node = ref nodes[i];
            if ((node.State & Unseen) != 0)
            {
                i = node.End;
                continue;
            }
            var isLoose = node.Tag == HtmlTag.Text && nodes[node.Parent].Tag == HtmlTag.Div && _isDivided[node.Parent];
            if (isLoose || node.Tag is HtmlTag.P or HtmlTag.Pre or HtmlTag.Td || (node.Tag == HtmlTag.Div && !_isDivided[i]))
                Vote(nodes, i);
            i++;
        }
        for (var i = 0; i < nodes.Length; i++)
        {
            if (_isCandidate[i])
                _scores[i] *= 1 - LinkShare(nodes, i);
        }
    }

    private void Vote(ReadOnlySpan<PageNode> nodes, int index)
    {
        var sums = Below(nodes, index);
        var parent = nodes[index].Parent;
        if (sums.Characters < ShortestParagraph || parent < 0)
            return;
        var votes = 2 + sums.Commas + Math.Min(sums.Characters / 100.0, 3);
        AddVotes(nodes, parent, votes);
        if (nodes[parent].Parent >= 0)
            AddVotes(nodes, nodes[parent].Parent, votes / 2);
    }

    private void AddVotes(ReadOnlySpan<PageNode> nodes, int index, double votes)
    {
        if (!_isCandidate[index])
        {
            _isCandidate[index] = true;
            _scores[index] = Weight(nodes[index]) + nodes[index].Tag switch
            {
                HtmlTag.Div or HtmlTag.Article => 5,
                HtmlTag.Pre or HtmlTag.Td or HtmlTag.Blockquote => 3,
                HtmlTag.Address or HtmlTag.Ol or HtmlTag.Ul or HtmlTag.Dl or HtmlTag.Dd or HtmlTag.Dt or HtmlTag.Li
                    or HtmlTag.Form or HtmlTag.Aside => -3,
                HtmlTag.H1 or HtmlTag.H2 or HtmlTag.H3 or HtmlTag.H4 or HtmlTag.H5 or HtmlTag.H6 or HtmlTag.Th or HtmlTag.Header
                    or HtmlTag.Footer or HtmlTag.Nav => -5,
                _ => 0,
            };
        }
        _scores[index] += votes;
    }

    private static int Weight(in PageNode node) =>
        ((node.Names & NameTraits.Positive) != 0 ? 25 : 0) - ((node.Names & NameTraits.Negative) != 0 ? 25 : 0);

    private int Best(PageTree tree)
    {
        var best = -1;
        for (var i = 0; i < tree.Count; i++)
        {
            if (_isCandidate[i] && (best < 0 || _scores[i] > _scores[best]))
                best = i;
        }
        return best;
    }

    private void Sanitize(PageTree tree, int root)
    {
        var nodes = tree.Nodes;
        for (var i = root + 1; i < nodes[root].End;)
        {
            ref var node = ref nodes[i];
            if ((node.State & Unseen) != 0 || IsClutter(nodes, i))
            {
                node.State |= NodeState.Dropped;
                i = node.End;
                continue;
            }
            i++;
        }
    }

    private bool IsClutter(ReadOnlySpan<PageNode> nodes, int index)
    {
        ref readonly var node = ref nodes[index];
        var weight = Weight(node);
        if (node.Tag.Is(TagTraits.Heading))
            return weight < 0 || LinkShare(nodes, index) > 0.33;
        if (node.Tag is not (HtmlTag.Table or HtmlTag.Ul or HtmlTag.Div or HtmlTag.Header or HtmlTag.Section))
            return false;
        if (weight + (_isCandidate[index] ? _scores[index] : 0) < 0)
            return true;
        var sums = Below(nodes, index);
        if (sums.Commas >= 10)
            return false;
        var share = LinkShare(nodes, index);
        return (sums.Paragraphs > 0 && sums.Images > 1 + sums.Paragraphs * 1.3)
            || (sums.Items - 100 > sums.Paragraphs && node.Tag != HtmlTag.Ul)
            || sums.Inputs > sums.Paragraphs / 3.0
            || (sums.Characters < ShortestParagraph && sums.Images != 1 && sums.Images != 2)
            || share > (weight < 25 ? 0.2 : 0.5)
            || (sums.Embeds == 1 && sums.Characters < 75) || sums.Embeds > 1;
    }

    private void WriteWithSiblings(PageTree tree, BlockWriter writer, int best)
    {
        var nodes = tree.Nodes;
        var parent = nodes[best].Parent;
        if (parent < 0)
        {
            writer.Write(tree, best, Unseen);
            return;
        }
        var threshold = Math.Max(10, _scores[best] * 0.2);
        for (var i = parent + 1; i < nodes[parent].End; i = nodes[i].End)
        {
            if (i == best || ((nodes[i].State & Unseen) == 0 && IsPart(tree, i, threshold)))
            {
                nodes[i].State &= ~Unseen;
                writer.Write(tree, i, Unseen);
            }
        }
    }

    private bool IsPart(PageTree tree, int index, double threshold)
    {
        var nodes = tree.Nodes;
        if (_isCandidate[index] && _scores[index] >= threshold)
            return true;
        if (nodes[index].Tag != HtmlTag.P)
            return false;
        var characters = Below(nodes, index).Characters;
        var share = LinkShare(nodes, index);
        return characters > 80 ? share < 0.25 : share == 0 && EndsSentence(tree, index);
    }

    private static bool EndsSentence(PageTree tree, int index)
    {
        for (var i = index + 1; i < tree.Nodes[index].End; i++)
        {
            if (tree.Nodes[i].Tag != HtmlTag.Text)
                continue;
            var text = tree.Text(i);
            if (text.Contains(". ", StringComparison.Ordinal) || text.TrimEnd().EndsWith("."))
                return true;
        }
        return false;
    }

    private double LinkShare(ReadOnlySpan<PageNode> nodes, int index)
    {
        var sums = Below(nodes, index);
        return sums.LinkCharacters / (double)Math.Max(1, sums.Characters);
    }

    private Sums Below(ReadOnlySpan<PageNode> nodes, int index)
    {
        var (end, start) = (_sums[nodes[index].End], _sums[index]);
        return new(end.Characters - start.Characters, end.LinkCharacters - start.LinkCharacters, end.Commas - start.Commas,
            end.Paragraphs - start.Paragraphs, end.Images - start.Images, end.Items - start.Items, end.Inputs - start.Inputs,
            end.Embeds - start.Embeds);
    }
}
