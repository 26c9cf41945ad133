import { useText } from '../text'
import { letLettersBeKeys, useLetterKeys } from './letter-keys'
import { Dialog } from './parts'

const ARROWS = /[←→↑↓]/

export function Help({ onClose }: { onClose: () => void }) {
  const text = useText()
  const k = text.keys
  const letters = useLetterKeys()
  const groups: [string, [string[], string][]][] = [
    [
      k.groupEverywhere,
      [
        [['?'], k.help],
        [['/'], k.search],
        [['A'], k.add],
        [['G'], k.library],
        [['Q'], k.queue],
        [['S'], k.system],
        [['Esc'], k.close],
      ],
    ],
    [
      k.groupLibrary,
      [
        [['J', 'K'], k.move],
        [['Enter'], k.openIt],
        [['X'], k.mark],
        [['B'], k.marked],
      ],
    ],
    [
      k.groupTranscript,
      [
        [['Space'], k.play],
        [['←', '→'], k.skip],
        [['↑', '↓'], k.segment],
        [['E'], k.editIt],
        [['U'], k.unsure],
        [['Ctrl Enter'], k.splitIt],
        [['Backspace'], k.mergeIt],
        [['Ctrl Z', 'Ctrl Y'], k.undo],
        [['Ctrl F'], k.find],
      ],
    ],
  ]
  return (
    <Dialog title={text.shortcuts} onClose={onClose} wide>
      <label className="help-letters">
        <input type="checkbox" role="switch" checked={letters} onChange={(e) => letLettersBeKeys(e.target.checked)} aria-describedby="help-letters" />
        {k.letters}
      </label>
      <p className="muted help-letters-hint" id="help-letters">
        {letters ? k.lettersOn : k.lettersOff}
      </p>
      <div className="help">
        {groups.map(([name, entries]) => (
          <section key={name}>
            <h3>{name}</h3>
            <dl>
              {entries.map(([keyNames, does]) => (
                <div key={does} className={!letters && keyNames[0]?.length === 1 && !ARROWS.test(keyNames[0]) ? 'off' : undefined}>
                  <dt>
                    {keyNames.map((one) => (
                      <kbd key={one}>{one}</kbd>
                    ))}
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  )
}
