using System.Xml;

namespace Finery.Data.Readers;

/// <summary>The types that documentation files declare and what they call their type parameters.</summary>
internal sealed class TypeNames
{
    private readonly Dictionary<string, string[]> _parameters = new(StringComparer.Ordinal);

    /// <summary>Whether a dotted path (with arity, without prefix) is a type.</summary>
    public bool IsKnown(string path) => _parameters.ContainsKey(path);

    /// <summary>One name of a type path as people write it: <c>List`1</c> to <c>List&lt;T&gt;</c>.</summary>
    /// <param name="path">The whole path up to and including the name.</param>
    /// <param name="name">The name, with its arity if any.</param>
    public string Display(string path, string name)
    {
        var tick = name.IndexOf('`');
        if (tick < 0)
            return name;
        if (!int.TryParse(name.AsSpan(tick).TrimStart('`'), out var arity) || arity is < 1 or > 32)
            return name[..tick];
        var names = _parameters.GetValueOrDefault(path, []);
        // Of the parameters documented for a nested type, the last ones are its own.
        var own = names.Length >= arity ? names[^arity..]
            : arity == 1 ? ["T"] : Enumerable.Range(1, arity).Select(i => $"T{i}");
        return $"{name[..tick]}<{string.Join(", ", own)}>";
    }

    /// <summary>Reads the type entries of documentation files. Damage ends a file early and only costs parameter names.</summary>
    public static TypeNames Collect(IEnumerable<string> files, XmlReaderSettings settings)
    {
        var types = new TypeNames();
        foreach (var file in files)
        {
            try
            {
                using var reader = XmlReader.Create(File.OpenRead(file), settings);
                types.Add(reader);
            }
            catch (Exception e) when (e is XmlException or IOException or UnauthorizedAccessException)
            {
                // The reader proper meets the same damage and counts it.
            }
        }
        return types;
    }

    private void Add(XmlReader reader)
    {
        string? type = null;
        var names = new List<string>();
        while (reader.Read())
        {
            if (reader.NodeType == XmlNodeType.EndElement && reader.Name == "member")
                Close();
            if (reader.NodeType != XmlNodeType.Element)
                continue;
            if (reader.Name == "member")
            {
                Close();
                type = reader.GetAttribute("name") is ['T', ':', .. var path] ? path : null;
            }
            else if (type is not null && reader.Name == "typeparam" && reader.GetAttribute("name") is { Length: > 0 } name)
                names.Add(name);
        }
        Close();

        void Close()
        {
            if (type is not null)
                _parameters.TryAdd(type, [.. names]);
            type = null;
            names.Clear();
        }
    }
}
