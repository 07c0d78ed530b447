namespace Decant.Controller.Fleet;

/// <summary>Text for people that the contract bounds: what is too long ends in "…", and is not refused for it.</summary>
internal static class BoundedText
{
    /// <summary>At most so many characters of a text.</summary>
    public static string Cut(string text, int most) => text.Length <= most ? text : $"{text[..(most - 1)]}…";
}
