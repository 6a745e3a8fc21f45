/* Bellboard 0.1.0, MIT */
import"./inbox.js";var t="bellboard-token",u=`
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: light-dark(#f4f5f7, #111317); color: light-dark(#1b1d21, #e9eaee) }
main { max-width: 46rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.3rem }
form { display: grid; gap: .6rem; justify-items: start }
form p { margin: 0 }
input { font: inherit; padding: .4rem; inline-size: 100%; box-sizing: border-box }
button { font: inherit; padding: .4rem .9rem }
[hidden] { display: none }
`,d=new CSSStyleSheet;d.replaceSync(u);document.adoptedStyleSheets=[d];var i=document.querySelector("bellboard-inbox"),o=document.querySelector("form"),r=o.querySelector("input"),f=o.querySelector("[role=alert]");function h(){let e=new URLSearchParams(location.hash.slice(1)).get("token");if(e)return history.replaceState(null,"",location.pathname+location.search),sessionStorage.setItem(t,e),e}function a(e){return sessionStorage.removeItem(t),f.hidden=!e,r.value="",o.hidden=!1,i.hidden=!0,r.focus(),new Promise(n=>{o.onsubmit=m=>{m.preventDefault();let s=r.value.trim();sessionStorage.setItem(t,s),l(),n(s)}})}function l(){o.hidden=!0,i.hidden=!1}async function c(){let e=h()??sessionStorage.getItem(t)??await a(!1);l(),i.token=({refresh:n})=>n?a(!0):sessionStorage.getItem(t)??e}i.addEventListener("bellboard-count",e=>{let{unread:n}=e.detail;document.title=n>0?`(${n}) Inbox`:"Inbox"});addEventListener("hashchange",()=>{location.hash&&c()});c();
