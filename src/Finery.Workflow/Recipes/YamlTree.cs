using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Finery.Workflow.Recipes;

/// <summary>Where something stands.</summary>
/// <param name="File">Recipe file or override.</param>
/// <param name="Line">From 1; 0 in an override.</param>
/// <param name="Column">From 1.</param>
internal readonly record struct Place(string File, int Line, int Column);

internal abstract class YamlNode(Place at)
{
    public Place At => at;

    /// <summary>A tree of its own.</summary>
    public virtual YamlNode Clone() => this;
}

/// <summary>Text that is not interpreted yet: the setting's type decides what <c>no</c> or <c>012</c> means.</summary>
internal sealed class YamlScalar(Place at, string text, bool plain) : YamlNode(at)
{
    public string Text => text;

    public bool IsNull => plain && text is "" or "~" or "null" or "Null" or "NULL";
}

internal sealed class YamlList(Place at) : YamlNode(at)
{
    public List<YamlNode> Items { get; } = [];

    public override YamlNode Clone()
    {
        var clone = new YamlList(At);
        clone.Items.AddRange(Items.Select(item => item.Clone()));
        return clone;
    }
}

internal sealed class YamlMap(Place at) : YamlNode(at)
{
    /// <summary>In the order of the file; keys are unique.</summary>
    public List<(YamlScalar Key, YamlNode Value)> Entries { get; } = [];

    public override YamlMap Clone()
    {
        var clone = new YamlMap(At);
        clone.Entries.AddRange(Entries.Select(entry => (entry.Key, entry.Value.Clone())));
        return clone;
    }

    public YamlNode? this[string key] => Entries.Find(entry => entry.Key.Text == key).Value;

    public void Set(YamlScalar key, YamlNode value)
    {
        int at = Entries.FindIndex(entry => entry.Key.Text == key.Text);
        if (at < 0) Entries.Add((key, value));
        else Entries[at] = (key, value);
    }
}

/// <summary>Something refused and reported already.</summary>
internal sealed class YamlRefused(Place at) : YamlNode(at);

/// <summary>
/// YAML text to a tree with positions. Only what a recipe needs: one document of maps with unique scalar keys, lists and scalars.
/// Anchors, aliases and tags are refused and nesting is bounded, so the tree is never much larger than the text.
/// </summary>
internal sealed class YamlTree
{
    /// <summary>Longest recipe in characters: a megabyte.</summary>
    public const int MaxLength = 1 << 20;

    /// <summary>Deepest nesting. YamlDotNet itself would overflow the stack somewhere below three thousand.</summary>
    private const int MaxDepth = 64;

    private readonly string _file;
    private readonly RecipeErrors _errors;
    private readonly Parser _parser;

    private YamlTree(string text, string file, RecipeErrors errors)
    {
        _file = file;
        _errors = errors;
        _parser = new Parser(new Scanner(new StringReader(text), skipComments: true));
    }

    /// <returns>The root, or null if there is none or the text is no YAML at all; why is in <paramref name="errors"/>.</returns>
    public static YamlNode? Read(string text, string file, RecipeErrors errors)
    {
        if (text.Length > MaxLength)
        {
            errors.Add(new Place(file, 0, 0), $"is longer than {MaxLength} characters, too long for a recipe");
            return null;
        }
        if (ReportMergeConflict(text, file, errors)) return null;
        try
        {
            return new YamlTree(text, file, errors).Document();
        }
        catch (YamlException e)
        {
            var at = new Place(file, (int)e.Start.Line, (int)e.Start.Column);
            if (TabIndentation(text) is { } line)
                errors.Add(new Place(file, line, 1), "indented with a tab; YAML is indented with spaces");
            else errors.Add(at, "not valid YAML: " + Reason(e));
            return null;
        }
        catch (TooDeepException e)
        {
            errors.Add(e.At, $"nested more than {MaxDepth} levels deep");
            return null;
        }
    }

    private static bool ReportMergeConflict(string text, string file, RecipeErrors errors)
    {
        int line = 0;
        bool found = false;
        foreach (var content in text.AsSpan().EnumerateLines())
        {
            line++;
            bool marker = content.StartsWith("<<<<<<< ") || content.StartsWith(">>>>>>> ") || (found && content is "=======");
            if (marker) errors.Add(new Place(file, line, 1), "merge conflict marker: choose one side and remove the markers");
            found |= marker;
        }
        return found;
    }

    /// <summary>The first line that is indented with a tab. Asked only when parsing failed: in a block of text a tab may be
    /// right.</summary>
    private static int? TabIndentation(string text)
    {
        int line = 0;
        foreach (var content in text.AsSpan().EnumerateLines())
        {
            line++;
            int indentation = content.Length - content.TrimStart(" \t").Length;
            if (indentation < content.Length && content[..indentation].Contains('\t')) return line;
        }
        return null;
    }

    /// <summary>YamlDotNet's own sentence, without the position it may begin with.</summary>
    private static string Reason(YamlException e)
    {
        string message = (e.InnerException ?? e).Message.ReplaceLineEndings(" ");
        int colon = message.StartsWith('(') ? message.IndexOf("): ", StringComparison.Ordinal) : -1;
        return message[(colon < 0 ? 0 : colon + 3)..].TrimEnd('.');
    }

    private YamlNode? Document()
    {
        _parser.MoveNext();
        Next();
        if (_parser.Current is StreamEnd)
        {
            _errors.Add(new Place(_file, 0, 0), "is empty; a recipe has 'name', 'seed' and 'steps'");
            return null;
        }
        Next();
        var root = Node(1);
        Next();
        Next();
        if (_parser.Current is not StreamEnd) _errors.Add(Here(), "a second document begins here; a recipe is one document");
        return root;
    }

    private void Next()
    {
        if (!_parser.MoveNext()) throw new YamlException("the text ends in the middle");
    }

    private Place Here() => Position(_parser.Current!);

    private Place Position(ParsingEvent parsed) => new(_file, (int)parsed.Start.Line, (int)parsed.Start.Column);

    /// <summary>Reads the node the parser is at and leaves the parser at the node's last event.</summary>
    private YamlNode Node(int depth)
    {
        var at = Here();
        if (depth > MaxDepth) throw new TooDeepException(at);
        if (_parser.Current is NodeEvent node)
        {
            if (!node.Anchor.IsEmpty) _errors.Add(at, "anchors (&) are not supported in recipes; write the value out");
            if (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific)
                _errors.Add(at, "tags (!) are not supported in recipes; the setting decides the type");
        }
        switch (_parser.Current)
        {
            case Scalar scalar:
                return new YamlScalar(at, scalar.Value, scalar.Style == ScalarStyle.Plain);
            case SequenceStart:
                var list = new YamlList(at);
                for (Next(); _parser.Current is not SequenceEnd; Next()) list.Items.Add(Node(depth + 1));
                return list;
            case MappingStart:
                return Map(at, depth);
            default:
                _errors.Add(at, "aliases (*) are not supported; write the value out, or quote text that begins with *");
                return new YamlRefused(at);
        }
    }

    private YamlMap Map(Place at, int depth)
    {
        var map = new YamlMap(at);
        var seen = new Dictionary<string, Place>(StringComparer.Ordinal);
        for (Next(); _parser.Current is not MappingEnd; Next())
        {
            var key = Node(depth + 1);
            Next();
            var value = Node(depth + 1);
            if (key is not YamlScalar { Text: var text } scalar)
            {
                if (key is not YamlRefused) _errors.Add(key.At, "a key must be text");
            }
            else if (seen.TryGetValue(text, out var first))
            {
                _errors.Add(key.At, string.Create(CultureInfo.InvariantCulture,
                    $"'{text}' is given twice; the first is on line {first.Line}"));
            }
            else
            {
                seen.Add(text, key.At);
                map.Entries.Add((scalar, value));
            }
        }
        return map;
    }

    private sealed class TooDeepException(Place at) : Exception
    {
        public Place At => at;
    }
}
