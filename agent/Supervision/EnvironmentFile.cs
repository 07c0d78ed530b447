using System.Text;
using Decant.Agent.State;

namespace Decant.Agent.Supervision;

/// <summary>Writes environments as systemd reads them (systemd.exec(5), EnvironmentFile=).</summary>
internal static class EnvironmentFile
{
    /// <summary>Writes a file as a whole, for its owner's eyes only.</summary>
    public static void Write(string path, IEnumerable<KeyValuePair<string, string>> environment)
    {
        var draft = $"{path}.new";
        File.Delete(draft);
        using (var file = PrivateFile.Open(draft)) file.Write(Encoding.UTF8.GetBytes(Text(environment)));
        File.Move(draft, path, overwrite: true);
    }

    /// <summary>A line for each variable; a value may go over several.</summary>
    public static string Text(IEnumerable<KeyValuePair<string, string>> environment)
    {
        var text = new StringBuilder();
        foreach (var (name, value) in environment)
        {
            text.Append(name).Append("=\"");
            foreach (var c in value)
            {
                if (c is '"' or '\\' or '`' or '$') text.Append('\\');
                text.Append(c);
            }

            text.Append("\"\n");
        }

        return text.ToString();
    }
}
